// The gateway's pages for customers and cashiers: what a Partner's server does for them, how they are walked, and what they are held to.

import jsQR from "jsqr";

import { expectNothingSerious } from "./axe.mjs";
import { choose, identify, prove } from "./walk.mjs";
import { expect, test as base, watch } from "./watch.mjs";

/** A text that nothing else has. */
export const unique = (prefix) => `${prefix}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;

/** A customer's telephone, as a browser of its own: whose is in the hand of somebody who stands before the till. */
const TELEPHONE = {
  viewport: { width: 390, height: 844 },
  hasTouch: true,
  isMobile: true,
  javaScriptEnabled: true,
  locale: "en-GB",
  timezoneId: "UTC",
  userAgent: "Mozilla/5.0 (Linux; Android 14; Phone) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
};

/** Every page of the gateway forbids what it does not need; collects those that do not. */
function watchPolicies(context, gateway) {
  const lax = [];
  context.on("response", (response) => {
    const { origin, pathname } = new URL(response.url());
    const isPage = (response.headers()["content-type"] ?? "").startsWith("text/html");
    if (origin !== gateway || !isPage) return;
    const policy = response.headers()["content-security-policy"] ?? "";
    if (!policy.startsWith("default-src 'none'") || policy.includes("unsafe")) lax.push(`${pathname}: ${policy}`);
  });
  return lax;
}

export const test = base.extend({
  /** What a Partner's server does. */
  partner: async ({ demo, playwright }, use) => {
    const api = await playwright.request.newContext({ baseURL: demo.gateway, extraHTTPHeaders: { authorization: `Bearer ${demo.apiKey}` } });
    const post = async (path, data = {}) => {
      const answer = await api.post(path, { data, headers: { "idempotency-key": unique("e2e") } });
      expect(answer.ok(), `${path}: ${await answer.text()}`).toBe(true);
      return answer.json();
    };
    const get = async (path) => (await api.get(path)).json();
    const read = (session) => get(`/v1/checkout-sessions/${session.id}`);
    const cart = (more = {}) => ({
      amount: 9_390,
      currency: "EUR",
      reference: unique("order"),
      locale: "en-DE",
      line_items: [
        { name: "Harbour lamp", quantity: 1, total_amount: 8_900 },
        { name: "Delivery", quantity: 1, total_amount: 490 },
      ],
      return_url: `${demo.shop}/order`,
      cancel_url: `${demo.shop}/`,
      other_method: { url: `${demo.shop}/?market=DE`, label: "Card" },
      ...more,
    });
    await use({
      post,
      get,
      open: (more) => post("/v1/checkout-sessions", cart(more)),
      link: (more) => post("/v1/payment-links", { amount: 7_500, currency: "EUR", reference: unique("invoice"), locale: "en-DE", ...more }),
      till: (more) => post("/v1/tills", { name: "Harbour shop, till 3", currency: "EUR", locale: "en-DE", country: "DE", ...more }),
      read,
      async becomes(session, state) {
        await expect.poll(async () => (await read(session)).state).toBe(state);
        return read(session);
      },
    });
    await api.dispose();
  },

  /** Pages without a strict policy: none. */
  policies: [
    async ({ context, demo }, use) => {
      const lax = watchPolicies(context, demo.gateway);
      await use(lax);
      expect(lax, "pages that allow too much").toEqual([]);
    },
    { auto: true },
  ],

  /** Another device, in another pair of hands: it is watched like the first. */
  telephone: async ({ browser, demo }, use) => {
    const context = await browser.newContext(TELEPHONE);
    const complaints = watch(context);
    const lax = watchPolicies(context, demo.gateway);
    await use(await context.newPage());
    await context.close();
    expect(complaints, "what the telephone's browser complained about").toEqual([]);
    expect(lax, "pages that allow too much").toEqual([]);
  },
});

/** The SDK has spoken. */
export async function ready(page) {
  await expect(page.locator("#main")).toHaveAttribute("data-ready", "true");
}

/** Chooses Klarna and presses its button. */
export async function pressKlarna(page) {
  await page.getByTestId("method-klarna").first().check();
  await page.getByTestId("klarna-button").getByRole("button").click();
}

/** The window that a press opens. */
export async function windowOf(page, press = pressKlarna) {
  const [journey] = await Promise.all([page.waitForEvent("popup"), press(page)]);
  return journey;
}

/** The whole of Klarna's journey. */
export async function approve(journey, who = "approved") {
  await identify(journey, who);
  await prove(journey);
  await choose(journey);
  await journey.getByTestId("confirm").click();
}

/** What a camera reads off the screen: the address in a QR code as it is really shown. */
export async function scan(picture) {
  // A page behind another is drawn at leisure.
  await picture.page().bringToFront();
  const shot = await picture.screenshot();
  const { pixels, width, height } = await picture.page().evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const drawing = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    drawing.drawImage(bitmap, 0, 0);
    const { data, width, height } = drawing.getImageData(0, 0, bitmap.width, bitmap.height);
    // As text, which travels fast.
    let text = "";
    for (let at = 0; at < data.length; at += 8_192) text += String.fromCharCode(...data.subarray(at, at + 8_192));
    return { pixels: btoa(text), width, height };
  }, shot.toString("base64"));
  const found = (jsQR.default ?? jsQR)(new Uint8ClampedArray(Buffer.from(pixels, "base64")), width, height);
  expect(found, "nothing to be scanned").not.toBeNull();
  return found.data;
}

/** Nothing serious for axe, and no scrolling sideways on the narrowest screen. */
export async function expectSound(page, where) {
  await expectNothingSerious(page, where);
  const usual = page.viewportSize();
  await page.setViewportSize({ width: 320, height: 640 });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect.soft(width, `${where} is wider than the screen`).toBeLessThanOrEqual(320);
  await page.setViewportSize(usual);
}

export { expect };
