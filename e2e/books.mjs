// Time that runs out. The gateway's clock is the machine's, and no page stays open for less than a quarter of an hour: so the test moves
// the hour in the books instead, which the gateway's own job then finds.

import { spawnSync } from "node:child_process";
import { join } from "node:path";

const MOVE = `
import sqlite3, sys
books = sqlite3.connect(sys.argv[1], timeout=20)
moved = books.execute("update checkout_sessions set expires_at = 1 where session_id = ?", (sys.argv[2],)).rowcount
moved += books.execute("update jobs set due_at = 1 where kind = 'checkout_expiry' and key like ?", ("%/" + sys.argv[2],)).rowcount
books.commit()
print(moved)
`;

/** Whether this machine has what moves it. */
export const canMoveTime = spawnSync("python3", ["-c", "import sqlite3"]).status === 0;

/** The time of a checkout session is over. */
export function runOut(demo, sessionId) {
  const moved = spawnSync("python3", ["-c", MOVE, join(demo.folder, "gateway.db"), sessionId], { encoding: "utf8" });
  if (moved.stdout.trim() !== "2") throw new Error(`the books were not moved: ${moved.stdout}${moved.stderr}`);
}
