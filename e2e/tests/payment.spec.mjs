// The whole way: shop, journey, shop, desk. And the ways that end without a payment.

import { expect, test } from "../watch.mjs";
import { LAMP_DE, backAtTheShop, checkout, choose, expectHeading, expectMoney, identify, pay, prove, walkToReview } from "../walk.mjs";

test("a shopper pays and the desk captures, refunds and voids", async ({ page, demo, gateway }) => {
  await page.goto(demo.shop);
  await page.getByTestId("to-cart").click();
  await expect(page.getByTestId("basket")).toContainText("Nothing in it yet");
  await page.getByRole("link", { name: "Look at all four" }).click();
  await page.getByTestId("add-lamp").click();
  // A page that is left before its message came says so on the console.
  const message = async () => expect(page.getByTestId("message")).toContainText(/\w/);
  await message();
  await page.getByRole("link", { name: "Shop", exact: true }).click();
  await page.getByTestId("add-mug").click();
  await message();
  await page.getByTestId("more-mug").click();
  await message();
  await expect(page.getByTestId("quantity-mug")).toHaveText("2");
  await expect(page.getByTestId("total")).toHaveText("€141.90");
  await page.getByTestId("to-checkout").click();
  await expect(page.locator("#pay-form")).toHaveAttribute("data-ready", "true");
  await page.getByTestId("way-server").click();
  await expect(page.getByTestId("total")).toHaveText("€141.90");
  await page.getByRole("button", { name: "Pay with Klarna" }).click();

  await expectHeading(page, "Who is paying?");
  await expect(page.getByTestId("amount")).toHaveAttribute("data-minor", "14190");
  await expect(page.getByTestId("amount")).toHaveAttribute("data-currency", "EUR");
  await expect(page.getByTestId("lines")).toContainText("Tern mug × 2");
  await expect(page.getByTestId("test-band")).toContainText("no real money");
  await identify(page, "approved");

  await page.getByTestId("code").fill("999999");
  await page.getByTestId("continue").click();
  await expect(page.getByTestId("error-summary")).toContainText("That code is not right");
  await expect(page.getByTestId("error-summary")).toBeFocused();
  await expect(page.getByTestId("code")).toHaveAccessibleDescription(/That code is not right/);
  await expect(page.getByTestId("code")).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByTestId("code")).toHaveValue("999999");
  await page.getByTestId("error-summary").getByRole("link").click();
  await expect(page.getByTestId("code")).toBeFocused();
  await prove(page, "246 813");
  await choose(page, "pay_in_3");

  await expect(page.getByTestId("chosen-plan")).toHaveAttribute("data-plan", "pay_in_3");
  const parts = page.getByTestId("instalments").getByRole("listitem");
  await expect(parts).toHaveCount(3);
  const minors = await parts.evaluateAll((items) => items.map((item) => Number(item.dataset.minor)));
  expect(minors.reduce((sum, minor) => sum + minor)).toBe(14_190);
  await expect(page.getByTestId("confirm")).toContainText("€141.90");
  await page.getByTestId("confirm").click();

  const payment = await backAtTheShop(page, demo, "AUTHORIZED");
  await expectHeading(page, "Thank you, your order is placed");
  await expectMoney(page, { amount: 14_190, captured: 0, refunded: 0, voided: 0, remaining: 14_190 });
  await expect(page.getByTestId("timeline").locator("[data-event='payment.authorized']")).toHaveCount(1);

  await page.getByTestId("capture").fill("twelve");
  await page.getByTestId("capture-button").click();
  await expect(page.getByTestId("capture")).toHaveAccessibleDescription(/Enter an amount above zero/);
  await expect(page.getByTestId("capture")).toHaveValue("twelve");
  await page.getByTestId("capture").fill("141.91");
  await page.getByTestId("capture-button").click();
  await expect(page.getByTestId("failure")).toContainText("No money moved");
  await expectMoney(page, { captured: 0, remaining: 14_190 });

  await page.getByTestId("capture").fill("50");
  await page.getByTestId("capture-button").click();
  await expect(page.getByTestId("done")).toHaveText("Captured.");
  await expectMoney(page, { captured: 5_000, refunded: 0, voided: 0, remaining: 9_190 });
  await expect(page.getByTestId("state")).toHaveAttribute("data-state", "PARTIALLY_CAPTURED");

  await page.getByTestId("refund").fill("20,50");
  await page.getByTestId("refund-button").click();
  await expect(page.getByTestId("done")).toHaveText("Refunded.");
  await expectMoney(page, { captured: 5_000, refunded: 2_050, voided: 0, remaining: 9_190 });

  await page.getByText("Void what is left").click();
  await page.getByTestId("void").click();
  await expect(page.getByTestId("done")).toHaveText("Voided.");
  await expectMoney(page, { captured: 5_000, refunded: 2_050, voided: 9_190, remaining: 0 });
  await expect(page.getByTestId("void")).toHaveCount(0);
  await expect(page.getByTestId("capture")).toHaveCount(0);
  await expect(page.getByTestId("state")).toHaveAttribute("data-state", "CAPTURED");

  const known = await gateway.payment(payment);
  expect(known).toMatchObject({ state: "CAPTURED", amount: 14_190, captured_amount: 5_000, refunded_amount: 2_050 });
});

test("a typed contact pays just as well, and what was mistyped is kept", async ({ page, demo }) => {
  await pay(page, demo);
  await page.getByTestId("contact").fill("nobody at all");
  await page.getByTestId("continue").click();
  await expect(page.getByTestId("error-summary")).toContainText("Enter a mobile number or an e-mail address");
  await expect(page.getByTestId("contact")).toHaveValue("nobody at all");
  await expect(page.getByTestId("contact")).toHaveAccessibleDescription(/Enter a mobile number/);
  await expect(page).toHaveTitle(/^Error: /);
  await walkToReview(page, "customer@email.de", "pay_later");
  await expect(page.locator("#main")).toContainText("c•••@email.de");
  await page.getByTestId("confirm").click();
  await backAtTheShop(page, demo, "AUTHORIZED");
});

test("a declined shopper is told kindly, finds the way back, and no money moves", async ({ page, demo, gateway }) => {
  await pay(page, demo);
  await walkToReview(page, "denied");
  await page.getByTestId("confirm").click();
  await expect(page.getByTestId("end")).toHaveAttribute("data-end", "declined");
  await expect(page.getByTestId("end")).toContainText(/nothing was charged/i);
  await page.getByTestId("return").click();

  const payment = await backAtTheShop(page, demo, "DECLINED");
  await expectHeading(page, "The payment was declined");
  await expect(page.locator("#main")).toContainText("Nothing was charged");
  await expectMoney(page, { captured: 0, refunded: 0, voided: 0, remaining: 0 });
  for (const button of ["capture-button", "refund-button", "void"]) await expect(page.getByTestId(button)).toHaveCount(0);
  expect(await gateway.payment(payment)).toMatchObject({ state: "DECLINED", captured_amount: 0 });
  expect(await gateway.events(payment)).not.toContain("payment.authorized");
});

test("a shopper who refuses is back at the shop with nothing charged", async ({ page, demo, gateway }) => {
  await pay(page, demo);
  await walkToReview(page);
  await page.locator("#refuse-more summary").click();
  await page.getByTestId("refuse").click();
  const payment = await backAtTheShop(page, demo, "DECLINED");
  await expect(page.locator("#main")).toContainText("Nothing was charged");
  expect(await gateway.events(payment)).not.toContain("payment.authorized");
});

test("five wrong codes lead back to the contact", async ({ page, demo }) => {
  await pay(page, demo);
  await identify(page);
  for (let wrong = 1; wrong < 5; wrong += 1) {
    await page.getByTestId("code").fill("999999");
    await page.getByTestId("continue").click();
    await expect(page.getByTestId("error-summary")).toBeVisible();
    await page.getByTestId("code").fill("");
  }
  await page.getByTestId("code").fill("999999");
  await page.getByTestId("continue").click();
  await expect(page.getByTestId("notice")).toContainText("Too many wrong codes");
  await page.getByTestId("continue").click();
  await prove(page);
});

test("prices, plans and amounts follow the market", async ({ page, demo }) => {
  await page.goto(`${demo.shop}/?market=DE&mug=1`);
  await page.getByTestId("market").selectOption("SE");
  await page.getByRole("button", { name: "Change" }).click();
  await page.getByTestId("to-cart").click();
  await expect(page.getByTestId("total")).toHaveText("318.00\u00a0SEK");
  await expect(page.getByTestId("message")).toContainText(/\w/);
  await page.goto(checkout(demo, "market=US&mug=2"));
  await page.getByTestId("pay").click();
  await expect(page.getByTestId("amount")).toHaveAttribute("data-minor", "5895");
  await expect(page.getByTestId("amount")).toHaveAttribute("data-currency", "USD");
  await identify(page, "new");
  await prove(page);
  await expect(page.getByTestId("plan-pay_in_3")).toHaveCount(0);
  await choose(page, "pay_in_4");
  const parts = page.getByTestId("instalments").getByRole("listitem");
  const minors = await parts.evaluateAll((items) => items.map((item) => Number(item.dataset.minor)));
  expect(minors).toEqual([1_474, 1_474, 1_474, 1_473]);
});

test.describe("in German", () => {
  test.use({ locale: "de-DE" });

  test("the journey speaks the browser's language", async ({ page, demo }) => {
    await pay(page, demo, LAMP_DE);
    await expectHeading(page, "Wer bezahlt?");
    await expect(page.locator("html")).toHaveAttribute("lang", "de");
    await identify(page);
    await prove(page);
    await choose(page, "pay_in_3");
    await page.getByTestId("confirm").click();
    await backAtTheShop(page, demo, "AUTHORIZED");
  });
});
