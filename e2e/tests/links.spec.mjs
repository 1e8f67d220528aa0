// Payment links, their codes, and tills: what a shop sends or shows, and another device pays.

import { canMoveTime, runOut } from "../books.mjs";
import { approve, expect, expectSound, pressKlarna, ready, scan, test, unique } from "../hosted.mjs";
import { choose, identify, prove } from "../walk.mjs";

const state = (page) => page.getByTestId("state");
const end = (page) => page.getByTestId("end");

/** The cashier types an amount, and the till shows the code. */
async function sell(page, till, amount, reference = "") {
  await page.goto(till.url);
  await page.getByTestId("amount").fill(amount);
  if (reference) await page.getByTestId("reference").fill(reference);
  await page.getByTestId("sell").click();
  await expect(state(page)).toHaveAttribute("data-state", "waiting");
}

test("a till shows a code, another device scans it and pays, and the till follows", async ({ page, partner, telephone }) => {
  test.slow();
  const till = await partner.till();
  const receipt = unique("receipt");
  await page.goto(till.url);
  await expect(page.getByTestId("find-form")).toHaveCount(0);
  await expectSound(page, "till");
  await page.getByTestId("amount").fill("12,5x");
  await page.getByTestId("reference").fill(receipt);
  await page.getByTestId("sell").click();
  await expect(page.locator("#amount-error")).toBeVisible();
  await expect(page.getByTestId("amount")).toHaveValue("12,5x");
  await expect(page.getByTestId("amount")).toHaveAccessibleDescription(/9[.,]50/);
  await expect(page.getByTestId("reference")).toHaveValue(receipt);
  await expectSound(page, "till with a fault");
  await page.getByTestId("amount").fill("12,50");
  await page.getByTestId("sell").click();
  await expect(state(page)).toHaveAttribute("data-state", "waiting");
  await expect(page.getByTestId("sale-reference")).toHaveText(receipt);
  await expectSound(page, "sale");

  await page.evaluate(() => (window.isTheSame = true));
  const address = await scan(page.getByTestId("code"));
  expect(address).toBe(await page.getByTestId("link").getAttribute("href"));
  await telephone.goto(address);
  await ready(telephone);
  await expect(telephone.getByTestId("amount")).toHaveText("€12.50");
  // Klarna is the only way there is, and is chosen already.
  await telephone.getByTestId("klarna-button").getByRole("button").click();
  await identify(telephone);
  await expect(state(page)).toHaveAttribute("data-state", "customer");
  await expectSound(page, "sale with its customer at Klarna");
  await expect(page.getByTestId("code")).toBeHidden();
  await page.getByText("Show the code again").click();
  expect(await scan(page.getByTestId("code"))).toBe(address);
  await prove(telephone);
  await choose(telephone);
  await telephone.getByTestId("confirm").click();
  await expect(end(telephone)).toHaveAttribute("data-end", "paid");
  await expectSound(telephone, "paid link");
  await expect(state(page)).toHaveAttribute("data-state", "paid");
  await expect(page.getByTestId("cancel")).toHaveCount(0);
  await expect(page).toHaveTitle(/^Paid/);
  expect(await page.evaluate(() => window.isTheSame), "the page was renewed where it stood").toBe(true);
  await expectSound(page, "paid sale");

  const { checkout_sessions: sold } = await partner.get(`/v1/checkout-sessions?reference=${receipt}`);
  expect(sold).toMatchObject([{ state: "COMPLETED", method: "KLARNA" }]);
  // What is handed over at once is captured at once.
  await expect.poll(async () => (await partner.get(`/v1/payments/${sold[0].payment_id}`)).state).toBe("CAPTURED");
  await page.getByTestId("back").click();
  await expect(page.getByTestId("sale-form")).toBeVisible();
});

test("a customer who is declined leaves the till a way on", async ({ page, partner, telephone }) => {
  const till = await partner.till();
  await sell(page, till, "30");
  await telephone.goto(await page.getByTestId("link").getAttribute("href"));
  await ready(telephone);
  await pressKlarna(telephone);
  await approve(telephone, "denied");
  await telephone.getByTestId("return").click();
  await expect(telephone.getByTestId("notice")).toHaveAttribute("data-notice", "declined");
  await expect(state(page)).toHaveAttribute("data-state", "declined");
  await expect(page.getByTestId("code")).toBeVisible();
  await expectSound(page, "declined sale");
  await page.getByTestId("cancel").click();
  await expect(state(page)).toHaveAttribute("data-state", "canceled");
  await expectSound(page, "canceled sale");
  // The telephone hears of it by itself.
  await expect(end(telephone)).toHaveAttribute("data-end", "canceled");
});

test("what was bought online is refunded at the till by its typed reference", async ({ page, partner, demo, telephone }) => {
  test.slow();
  const order = await partner.open();
  await telephone.goto(order.url);
  await ready(telephone);
  await pressKlarna(telephone);
  await approve(telephone);
  await telephone.waitForURL((url) => url.origin === demo.shop);
  const { payment_id: payment } = await partner.becomes(order, "COMPLETED");

  const till = await partner.till({ refunds: true });
  const find = async (reference) => {
    await page.goto(till.url);
    await page.getByTestId("find-reference").fill(reference);
    await page.getByTestId("find").click();
  };
  await find(order.reference);
  // Nothing of it has been captured yet.
  await expect(page.getByTestId("not-found")).toBeVisible();
  await expectSound(page, "no purchase");
  await partner.post(`/v1/payments/${payment}/captures`, { amount: 9_390 });
  await find(order.reference);
  await expect(page.getByTestId("refundable")).toHaveAttribute("data-minor", "9390");
  await expectSound(page, "purchase");
  await page.getByTestId("amount").fill("99");
  await page.getByTestId("refund").click();
  await expect(page.locator("#amount-error")).toContainText("93.90");
  await expectSound(page, "too much");
  await page.getByTestId("amount").fill("2.50");
  await page.getByTestId("refund").click();
  await expect(page.getByTestId("confirm")).toHaveText("Refund €2.50");
  await expectSound(page, "question");
  await page.getByTestId("confirm").dblclick();
  await expect(page.getByTestId("refundable")).toHaveAttribute("data-minor", "9140");
  await expect(page.getByTestId("refund-made")).toHaveCount(1);
  await expect(page.getByTestId("refund-made")).toHaveAttribute("data-state", "SUCCEEDED");
  await expectSound(page, "refunded");
  expect(await partner.get(`/v1/payments/${payment}`)).toMatchObject({ refunded_amount: 250 });
  // The rest, by the payment's own number; then there is nothing left to refund.
  await find(payment);
  await page.getByTestId("amount").fill("91,40");
  await page.getByTestId("refund").click();
  await page.getByTestId("confirm").click();
  await expect(page.getByTestId("refundable")).toHaveAttribute("data-minor", "0");
  await expect(page.getByTestId("refund-form")).toHaveCount(0);
  await expectSound(page, "all refunded");
});

test.describe("without script", () => {
  test.use({ javaScriptEnabled: false });

  test("a till sells, looks again by itself, takes back and refunds", async ({ page, partner, telephone }) => {
    test.slow();
    const till = await partner.till({ refunds: true });
    const receipt = unique("receipt");
    await sell(page, till, "100", receipt);
    await expect(page.getByTestId("code")).toBeVisible();
    await page.reload();
    await page.getByTestId("cancel").click();
    await expect(state(page)).toHaveAttribute("data-state", "canceled");
    await sell(page, till, "80", receipt);
    await telephone.goto(await page.getByTestId("link").getAttribute("href"));
    await ready(telephone);
    await pressKlarna(telephone);
    await identify(telephone);
    await expect(state(page)).toHaveAttribute("data-state", "customer");
    await prove(telephone);
    await choose(telephone);
    await telephone.getByTestId("confirm").click();
    await expect(state(page)).toHaveAttribute("data-state", "paid");
    await page.goto(till.url);
    await page.getByTestId("find-reference").fill(receipt);
    await page.getByTestId("find").click();
    await page.getByTestId("amount").fill("80");
    await page.getByTestId("refund").click();
    await page.getByTestId("confirm").click();
    await expect(page.getByTestId("refundable")).toHaveAttribute("data-minor", "0");
  });
});

test("a till that was disabled is closed", async ({ page, partner }) => {
  const till = await partner.till();
  await partner.post(`/v1/tills/${till.id}/disable`);
  await page.goto(till.url);
  await expect(end(page)).toHaveAttribute("data-end", "unknown");
  await expectSound(page, "disabled till");
});

test("a link is paid on the device that scanned its code, and says so to whoever comes later", async ({ page, partner, telephone }) => {
  const link = await partner.link({ locale: "de-DE" });
  // A picture of its own, as it would stand in a letter.
  for (const [url, type] of [
    [link.qr_code.svg_url, "image/svg+xml"],
    [link.qr_code.png_url, "image/png"],
  ]) {
    expect((await page.request.get(url)).headers()["content-type"]).toBe(type);
    await page.setContent(`<img alt="" src="${url}">`);
    expect(await scan(page.locator("img"))).toBe(link.url);
  }
  await telephone.goto(link.url);
  await ready(telephone);
  await expect(telephone.locator("html")).toHaveAttribute("lang", "de");
  await expect(telephone.getByTestId("amount")).toHaveText("75,00 €");
  await expectSound(telephone, "link");
  await telephone.getByTestId("klarna-button").getByRole("button").click();
  await approve(telephone);
  // Without a shop to go back to, the page thanks.
  await expect(end(telephone)).toHaveAttribute("data-end", "paid");
  expect(await partner.get(`/v1/payment-links/${link.id}`)).toMatchObject({ state: "COMPLETED", checkout_session_id: expect.stringMatching(/^cs_/) });

  await page.goto(link.url);
  await expect(end(page)).toHaveAttribute("data-end", "paid");
  await expect(page.getByTestId("pay")).toHaveCount(0);
  await expectSound(page, "link that is paid");
});

test("a link that was taken back says so", async ({ page, partner }) => {
  const link = await partner.link();
  await page.goto(link.url);
  await ready(page);
  await partner.post(`/v1/payment-links/${link.id}/cancel`);
  await expect(end(page)).toHaveAttribute("data-end", "canceled");
  await expectSound(page, "link that was taken back");
});

test("a link and a sale whose time is over say so", async ({ page, partner, demo }) => {
  test.skip(!canMoveTime, "needs python3");
  const link = await partner.link();
  await page.goto(link.url);
  await ready(page);
  runOut(demo, link.checkout_session_id);
  await expect(end(page)).toHaveAttribute("data-end", "expired");
  await expectSound(page, "expired link");
  // Its code still leads to the page that says so.
  expect((await page.request.get(link.qr_code.svg_url)).ok()).toBe(true);

  const till = await partner.till();
  await sell(page, till, "20");
  const { payment_links: [sale] } = await partner.get(`/v1/payment-links?till_id=${till.id}`);
  runOut(demo, sale.checkout_session_id);
  await expect(state(page)).toHaveAttribute("data-state", "expired");
  await expect(page.getByTestId("code")).toHaveCount(0);
  await expectSound(page, "expired sale");
});

for (const [locale, lang, button, title] of [
  ["de-DE", "de", "Code zeigen", "Warten auf"],
  ["sv-SE", "sv", "Visa koden", "Väntar på"],
  ["fr-FR", "fr", "Afficher le code", "En attente"],
  ["es-ES", "es", "Mostrar el código", "Esperando"],
]) {
  test(`a till speaks ${lang}`, async ({ page, partner, isMobile }) => {
    test.skip(isMobile, "the same on every screen");
    const till = await partner.till({ locale, refunds: true });
    await page.goto(till.url);
    await expect(page.locator("html")).toHaveAttribute("lang", lang);
    await expect(page.getByTestId("sell")).toHaveText(button);
    await expectSound(page, `till in ${lang}`);
    await page.getByTestId("amount").fill("1");
    await page.getByTestId("sell").click();
    await expect(state(page)).toContainText(title);
    await expectSound(page, `sale in ${lang}`);
  });
}
