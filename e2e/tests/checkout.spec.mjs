// The hosted page of the gateway, in a browser, with the Web SDK of the network end.

import AxeBuilder from "@axe-core/playwright";

import { expect, test as base } from "../watch.mjs";
import { choose, identify, prove } from "../walk.mjs";

/** @param {string} prefix */
const unique = (prefix) => `${prefix}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;

const test = base.extend({
  /** What a Partner's server does. */
  partner: async ({ demo, playwright }, use) => {
    const api = await playwright.request.newContext({ baseURL: demo.gateway, extraHTTPHeaders: { authorization: `Bearer ${demo.apiKey}` } });
    const post = async (path, data) => {
      const answer = await api.post(path, { data, headers: { "idempotency-key": unique("e2e") } });
      expect(answer.ok(), `${path}: ${await answer.text()}`).toBe(true);
      return answer.json();
    };
    const get = async (path) => (await api.get(path)).json();
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
      cart,
      open: (more) => post("/v1/checkout-sessions", cart(more)),
      read: (session) => get(`/v1/checkout-sessions/${session.id}`),
      async becomes(session, state) {
        await expect.poll(async () => (await get(`/v1/checkout-sessions/${session.id}`)).state).toBe(state);
        return get(`/v1/checkout-sessions/${session.id}`);
      },
    });
    await api.dispose();
  },
});

/** The SDK has spoken. */
async function ready(page) {
  await expect(page.locator("#main")).toHaveAttribute("data-ready", "true");
}

/** Chooses Klarna and presses its button. */
async function pressKlarna(page) {
  await page.getByTestId("method-klarna").first().check();
  await page.getByTestId("klarna-button").getByRole("button").click();
}

async function approve(journey, who = "approved") {
  await identify(journey, who);
  await prove(journey);
  await choose(journey);
  await journey.getByTestId("confirm").click();
}

/** What is grave for axe. */
async function expectAccessible(page, where) {
  const { violations, passes } = await new AxeBuilder({ page }).setLegacyMode().analyze();
  expect(passes.length, `${where}: axe looked at nothing`).toBeGreaterThan(0);
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  expect.soft(grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join("; ")}`), where).toEqual([]);
}

test("the customer pays on the hosted page", async ({ page, partner, demo }) => {
  const session = await partner.open({ branding: { name: "Lamps & Light", accent_color: "#1f5673", background_color: "#f4f1ea" } });
  const answer = await page.goto(session.url);
  expect(answer.headers()["content-security-policy"]).not.toContain("unsafe");
  await ready(page);
  await expect(page.getByTestId("amount")).toHaveText("€93.90");
  await expect(page.getByTestId("order")).toContainText("Harbour lamp");
  await expect(page.locator("#klarna-options")).toContainText("Klarna");
  await expect(page.getByTestId("pay")).toHaveCSS("background-color", "rgb(31, 86, 115)");
  await expectAccessible(page, "hosted page");
  const [journey] = await Promise.all([page.waitForEvent("popup"), pressKlarna(page)]);
  await approve(journey);
  await page.waitForURL((url) => url.origin === demo.shop && url.searchParams.get("state") === "COMPLETED");
  const paid = await partner.becomes(session, "COMPLETED");
  expect(paid).toMatchObject({ method: "KLARNA", attempts: 1 });
  expect(new URL(page.url()).searchParams.get("payment_id")).toBe(paid.payment_id);

  // An order that is completed already: from the address, and by the back button.
  await page.goto(session.url);
  await expect(page.getByTestId("end")).toHaveAttribute("data-end", "paid");
  await expectAccessible(page, "paid");
  await page.getByTestId("back").click();
  await page.waitForURL((url) => url.origin === demo.shop);
});

test("a decline leaves a way on", async ({ page, partner }) => {
  const session = await partner.open();
  await page.goto(session.url);
  await ready(page);
  const [journey] = await Promise.all([page.waitForEvent("popup"), pressKlarna(page)]);
  await approve(journey, "denied");
  await expect(page.getByTestId("notice")).toHaveAttribute("data-notice", "declined");
  await expectAccessible(page, "declined");
  await ready(page);
  await page.getByTestId("method-other").check();
  await page.getByTestId("pay").click();
  await page.waitForURL((url) => url.searchParams.get("checkout_session_id") === session.id);
  expect(await partner.read(session)).toMatchObject({ state: "OPEN", attempts: 1 });
  await partner.post(`/v1/checkout-sessions/${session.id}/complete`, {});
  await page.goto(session.url);
  await expect(page.getByTestId("end")).toHaveAttribute("data-end", "paid");
});

test("who leaves Klarna comes back to the page and goes on", async ({ page, partner, demo, isMobile }) => {
  test.skip(isMobile, "in a window");
  const session = await partner.open();
  await page.goto(session.url);
  await ready(page);
  const [journey] = await Promise.all([page.waitForEvent("popup"), pressKlarna(page)]);
  await identify(journey);
  await journey.close();
  await expect(page.getByTestId("notice")).toHaveAttribute("data-notice", "left");
  await ready(page);
  const [again] = await Promise.all([page.waitForEvent("popup"), pressKlarna(page)]);
  // Klarna goes on where the customer left.
  await prove(again);
  await choose(again);
  await again.getByTestId("confirm").click();
  await page.waitForURL((url) => url.origin === demo.shop);
  expect((await partner.becomes(session, "COMPLETED")).attempts).toBe(1);
});

test("a blocked window becomes a redirect", async ({ page, partner, demo, isMobile, complaints }) => {
  test.skip(isMobile, "a phone redirects anyway");
  const session = await partner.open();
  await page.addInitScript(() => (window.open = () => null));
  await page.goto(session.url);
  await ready(page);
  await pressKlarna(page);
  await expect(page).toHaveURL(/\/requests\/[0-9a-f-]{36}\/contact$/);
  expect(complaints.splice(0).join()).toContain("blocked the payment window");
  await approve(page);
  await page.waitForURL((url) => url.origin === demo.shop);
  await partner.becomes(session, "COMPLETED");
});

test.describe("without script", () => {
  test.use({ javaScriptEnabled: false });

  test("a plain form pays by redirect", async ({ page, partner, demo }) => {
    const session = await partner.open();
    await page.goto(session.url);
    await expect(page.getByTestId("method-klarna")).toHaveCount(1);
    await page.getByTestId("method-klarna").check();
    await page.getByTestId("pay").click();
    await expect(page).toHaveURL(/\/requests\/[0-9a-f-]{36}\/contact$/);
    await page.goBack();
    await expect(page.getByTestId("notice")).toHaveAttribute("data-notice", "left");
    await page.getByTestId("method-klarna").check();
    await page.getByTestId("pay").click();
    await approve(page);
    await page.waitForURL((url) => url.origin === demo.shop);
    expect((await partner.becomes(session, "COMPLETED")).attempts).toBe(1);
  });
});

test("two tabs and double clicks make one payment, and the other tab follows", async ({ page, context, partner, demo, gateway, isMobile }) => {
  test.skip(isMobile, "the same on every screen");
  const session = await partner.open();
  const other = await context.newPage();
  for (const tab of [page, other]) {
    await tab.goto(session.url);
    await ready(tab);
    await tab.getByTestId("method-klarna").first().check();
  }
  const popup = page.waitForEvent("popup");
  await page.getByTestId("klarna-button").getByRole("button").dblclick();
  const journey = await popup;
  await expect(journey).toHaveURL(/\/contact$/);
  // The other tab has noticed that the customer is at Klarna.
  await other.bringToFront();
  await expect(other.getByTestId("notice")).toHaveAttribute("data-notice", "left");
  await ready(other);
  const [second] = await Promise.all([other.waitForEvent("popup"), pressKlarna(other)]);
  await expect(second).toHaveURL(/\/requests\//);
  await second.close();
  await approve(journey);
  await page.waitForURL((url) => url.origin === demo.shop);
  await other.bringToFront();
  // It says so, or is back at the shop like the first, where its script saw the payment end before it saw its window closed.
  const end = () => other.getByTestId("end").getAttribute("data-end", { timeout: 500 }).catch(() => null);
  await expect.poll(async () => new URL(other.url()).origin === demo.shop || (await end()) === "paid").toBe(true);
  const { reference } = await partner.becomes(session, "COMPLETED");
  expect(await gateway.paymentsOf(reference)).toHaveLength(1);
});

test("a session that was canceled, and an address that leads nowhere", async ({ page, partner, demo }) => {
  const session = await partner.open();
  await page.goto(session.url);
  await ready(page);
  await partner.post(`/v1/checkout-sessions/${session.id}/cancel`, {});
  // The open page notices by itself.
  await expect(page.getByTestId("end")).toHaveAttribute("data-end", "canceled");
  await expectAccessible(page, "canceled");
  await page.goto(`${demo.gateway}/checkout/nonesuch`);
  await expect(page.getByTestId("end")).toHaveAttribute("data-end", "unknown");
  await expectAccessible(page, "unknown");
});

test("where Klarna is not available it is not shown", async ({ page, partner }) => {
  const session = await partner.open({ currency: "JPY", locale: "en-JP" });
  await page.goto(session.url);
  await expect(page.locator("#main")).toHaveAttribute("data-ready", "true");
  await expect(page.getByTestId("method-klarna")).toHaveCount(0);
  await page.getByTestId("method-other").check();
  await expect(page.getByTestId("pay")).toHaveText("Continue");
});
