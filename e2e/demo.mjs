// Starts `kontor demo` on free ports and an empty folder before the tests, and stops it after them.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PATIENCE_MS = 60_000;

export default async function start() {
  const program = process.env.KONTOR_TEST_BINARY;
  if (!program) throw new Error("KONTOR_TEST_BINARY says where the built `kontor` is; `cargo xtask test` sets it");
  const folder = await mkdtemp(join(tmpdir(), "kontor-e2e-"));
  const anywhere = ["--gateway-listen", "--network-listen", "--shop-listen"].flatMap((end) => [end, "127.0.0.1:0"]);
  const demo = spawn(program, ["demo", "--data-dir", folder, ...anywhere], { stdio: ["ignore", "pipe", "pipe"] });

  let [banner, log] = ["", ""];
  demo.stderr.setEncoding("utf8").on("data", (text) => (log = (log + text).slice(-8_000)));
  const ended = new Promise((resolve) => {
    demo.once("error", (error) => resolve(`did not start: ${error.message}`));
    demo.once("exit", (code, signal) => resolve(`ended (${signal ?? code})`));
  });
  const stop = async () => {
    demo.kill("SIGTERM");
    const impatient = setTimeout(() => demo.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(impatient);
    await rm(folder, { recursive: true, force: true });
  };

  const up = new Promise((resolve) => {
    demo.stdout.setEncoding("utf8").on("data", (text) => {
      banner += text;
      const ends = read(banner);
      if (ends) resolve(ends);
    });
  });
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, "said no addresses in time").unref());
  const ends = await Promise.race([up, ended, late]);
  if (typeof ends === "string") {
    await stop();
    throw new Error(`the demo ${ends}. What it said:\n${banner}\n${log}`);
  }
  try {
    for (const page of [`${ends.shop}/`, `${ends.gateway}/docs`]) {
      const answer = await fetch(page, { signal: AbortSignal.timeout(PATIENCE_MS) });
      if (!answer.ok) throw new Error(`${page} answered ${answer.status}`);
    }
    const partner = JSON.parse(await readFile(join(folder, "partner.json"), "utf8"));
    const { partner: seeded, acquiring_partner: provider } = JSON.parse(await readFile(join(folder, "credentials.json"), "utf8"));
    const { client_id: clientId, payment_account_id: paymentAccountId } = seeded;
    const elsewhereClientId = await identifyPagesOf(ends.network, seeded, "elsewhere.example");
    // The tests run in processes of their own and read this again.
    process.env.KONTOR_E2E_DEMO = JSON.stringify({ ...ends, folder, apiKey: partner.api_key, clientId, paymentAccountId, elsewhereClientId, networkKey: provider.api_key });
  } catch (error) {
    await stop();
    throw new Error(`the demo is up, but not well: ${error.message}\n${log}`, { cause: error });
  }
  return stop;
}

/** A client identifier of the seeded Partner, for the pages of one domain. */
async function identifyPagesOf(network, { api_key }, domain) {
  const answer = await fetch(`${network}/v2/account/integration/credentials/client-identifier`, {
    method: "POST",
    headers: { authorization: `Basic ${api_key}`, "content-type": "application/json" },
    body: JSON.stringify({ description: "pages elsewhere", config: { allowed_domains: [domain] } }),
  });
  if (!answer.ok) throw new Error(`no client identifier: ${answer.status} ${await answer.text()}`);
  return (await answer.json()).identity.client_id;
}

/** The addresses in the demo's banner, once all of them are there. */
function read(banner) {
  const address = (name) => new RegExp(`^\\s*${name}\\s+(http://[^\\s/]+)\\S*\\s`, "m").exec(banner)?.[1];
  const [shop, gateway, network] = ["Shop", "Gateway", "Network"].map(address);
  return shop && gateway && network ? { shop, gateway, network } : undefined;
}
