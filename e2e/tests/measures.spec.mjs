// How large the SDK and the pages are, and how long a shopper waits between the last click and the result. The closing lines of a run
// show the figures; what is held here is what must not creep.

import { gzipSync } from "node:zlib";

import { MEASURED } from "../summary.mjs";
import { expect, test } from "../watch.mjs";
import { LAMP_DE, backAtTheShop, checkout, pay, walkToReview } from "../walk.mjs";

const KB = 1000;
const PAYMENTS = 7;

const note = (description) => test.info().annotations.push({ type: MEASURED, description });
const kb = (bytes) => `${(bytes / KB).toFixed(1)} kB`.padStart(8);

/** Says a text's size, plain and gzipped; returns the latter. */
function weigh(name, text) {
  const packed = gzipSync(text, { level: 9 }).length;
  note(`${name.padEnd(44)} ${kb(Buffer.byteLength(text))} ${kb(packed)} gzipped`);
  return packed;
}

test("the SDK and the shop's pages are small", async ({ page, demo }) => {
  const read = async (url) => {
    const answer = await fetch(url);
    expect(answer.status, url).toBe(200);
    const text = await answer.text();
    // What is weighed is what travels.
    if (Buffer.byteLength(text) > 1024) expect(answer.headers.get("content-encoding"), url).toBe("gzip");
    return text;
  };
  expect(weigh("Web SDK, the module", await read(`${demo.network}/web-sdk/v2/klarna.mjs`))).toBeLessThanOrEqual(25 * KB);
  expect(weigh("Web SDK, the classic script before it", await read(`${demo.network}/web-sdk/v1/klarna.js`))).toBeLessThanOrEqual(2 * KB);

  /** The files that a page of the shop needs, by what the browser loaded. */
  const files = new Set();
  page.on("response", (answer) => {
    const url = new URL(answer.url());
    if (url.origin === demo.shop && url.pathname.startsWith("/assets/")) files.add(answer.url());
  });
  const pages = { "front page": "/", "a thing": "/products/lamp", cart: `/cart?${LAMP_DE.basket}`, checkout: `/checkout?${LAMP_DE.basket}` };
  for (const [name, path] of Object.entries(pages)) {
    expect(weigh(`Shop, ${name}`, await read(demo.shop + path))).toBeLessThanOrEqual(6 * KB);
    await page.goto(demo.shop + path, { waitUntil: "networkidle" });
  }
  const shared = await Promise.all([...files].map(read));
  expect(weigh(`Shop, ${files.size} files that all pages share`, shared.join(""))).toBeLessThanOrEqual(30 * KB);

  await pay(page, demo);
  const journey = { contact: () => page.reload(), review: async () => (await walkToReview(page), page.reload()) };
  for (const [name, go] of Object.entries(journey)) {
    expect(weigh(`Purchase journey, ${name}`, await (await go()).text())).toBeLessThanOrEqual(6 * KB);
  }
  await page.getByTestId("confirm").click();
  await backAtTheShop(page, demo, "AUTHORIZED");
  expect(weigh("Shop, the order", await (await page.reload()).text())).toBeLessThanOrEqual(6 * KB);
});

/** What the network end took for the calls of servers since then, in ms, by its own request log. */
async function ownTime(demo, since) {
  const answer = await fetch(`${demo.network}/testing/requests?size=200`, { headers: { authorization: `Basic ${demo.networkKey}` } });
  expect(answer.status).toBe(200);
  const calls = (await answer.json()).requests.filter(({ path, occurred_at: at }) => path.startsWith("/v2/") && Date.parse(at) >= since);
  return calls.reduce((sum, call) => sum + call.duration_us / 1000, 0);
}

test("from the last click to the result", async ({ page, demo }) => {
  test.slow();
  const waits = [];
  for (let payment = 0; payment < PAYMENTS; payment += 1) {
    await page.goto(checkout(demo));
    await page.getByTestId("pay").click();
    await walkToReview(page);
    let journey = 0;
    const hop = async (request) => {
      if (new URL(request.url()).origin !== demo.network) return;
      const { requestStart, responseStart } = request.timing();
      if (responseStart > requestStart) journey += responseStart - requestStart;
    };
    page.on("requestfinished", hop);
    const since = Date.now();
    const [, ms] = await Promise.all([
      page.getByTestId("confirm").click(),
      page.waitForURL(`${demo.shop}/order?**`, { waitUntil: "load" }).then(() => Date.now() - since),
    ]);
    page.off("requestfinished", hop);
    await backAtTheShop(page, demo, "AUTHORIZED");
    waits.push({ ms, own: journey + (await ownTime(demo, since)) });
  }
  // The first one warms up.
  const median = (name) => waits.slice(1).map((wait) => wait[name]).sort((a, b) => a - b)[Math.floor((PAYMENTS - 1) / 2)];
  note(`${"From “confirm” to the result page, median".padEnd(44)} ${median("ms").toFixed(0).padStart(5)} ms, of which the network end ${median("own").toFixed(1)} ms`);
  expect(median("ms")).toBeLessThan(3_000);
});
