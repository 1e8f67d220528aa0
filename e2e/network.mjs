// A network end of its own, for tests that need one served otherwise than the demo's (over TLS, under another name), or to themselves.

import { spawn } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PATIENCE_MS = 60_000;

/** Starts `kontor network` in an empty folder. Says where it listens, what it seeded, where a file of it stands, and how to stop it. */
export async function startNetwork(options = []) {
  const program = process.env.KONTOR_TEST_BINARY;
  const folder = await mkdtemp(join(tmpdir(), "kontor-e2e-network-"));
  const file = (leaf) => join(folder, leaf);
  const files = ["--credentials-file", file("credentials.json"), "--address-file", file("address")];
  const arguments_ = ["network", "--data-dir", folder, "--listen", "127.0.0.1:0", ...options.map((one) => one.replace("{folder}", folder)), ...files];
  const network = spawn(program, arguments_, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  network.stderr.setEncoding("utf8").on("data", (text) => (log = (log + text).slice(-8_000)));
  const ended = new Promise((resolve) => network.once("exit", resolve).once("error", resolve));
  const stop = async () => {
    network.kill("SIGTERM");
    const impatient = setTimeout(() => network.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(impatient);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const address = await appeared(file("address"), ended, () => log);
    const seeded = JSON.parse(await readFile(file("credentials.json"), "utf8"));
    return { address, seeded, read: (leaf) => readFile(file(leaf), "utf8"), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The same over TLS under a host name; and how a browser knows its certificate. */
export async function startUnderName(name) {
  const network = await startNetwork(["--tls", "dev", "--tls-name", name, "--base-url", `https://${name}`]);
  try {
    const [certificate, authority] = await Promise.all(["cert.pem", "ca.pem"].map(network.read));
    const key = new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" });
    return { ...network, authority, pin: createHash("sha256").update(key).digest("base64") };
  } catch (error) {
    await network.stop();
    throw error;
  }
}

/** The text of a file that is written once everything is ready. */
async function appeared(path, ended, log) {
  let isOver = false;
  ended.then(() => (isOver = true));
  for (const until = Date.now() + PATIENCE_MS; Date.now() < until && !isOver; ) {
    const text = await readFile(path, "utf8").catch(() => "");
    if (text) return text;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the network end did not start:\n${log()}`);
}
