// Leaving, returning, reloading, clicking twice, opening twice: nothing is lost and nothing is charged twice.

import { expect, test, watch } from "../watch.mjs";
import { backAtTheShop, checkout, choose, expectHeading, identify, pay, prove, walkToReview } from "../walk.mjs";

/** The address that the shop sends shoppers to. */
async function addressOf(gateway, order) {
  const [payment, ...more] = await gateway.paymentsOf(order);
  expect(more).toEqual([]);
  return payment.next_action.url;
}

async function expectOneAuthorization(gateway, payment) {
  const events = await gateway.events(payment);
  expect(events.filter((type) => type === "payment.authorized")).toHaveLength(1);
}

test("who leaves may go on where they were", async ({ page, demo, gateway }) => {
  await pay(page, demo);
  await identify(page);
  await prove(page);
  await page.getByTestId("leave").click();
  await backAtTheShop(page, demo, "REQUIRES_CUSTOMER_ACTION");
  await expectHeading(page, "Your payment is not finished");
  await page.getByTestId("resume").click();
  await expectHeading(page, "How would you like to pay?");
  await choose(page);
  await page.getByTestId("confirm").click();
  const payment = await backAtTheShop(page, demo, "AUTHORIZED");
  await expectOneAuthorization(gateway, payment);
});

test("the same link leads on from where the visit stands, and ends with how it ended", async ({ page, demo, gateway }) => {
  const order = await pay(page, demo);
  const address = await addressOf(gateway, order);
  await identify(page);
  await page.goto(demo.shop);
  await page.goto(address);
  await expect(page.getByTestId("code")).toBeVisible();
  await prove(page);
  await choose(page);
  await page.getByTestId("confirm").click();
  await backAtTheShop(page, demo, "AUTHORIZED");
  await page.goto(address);
  await expect(page.getByTestId("end")).toHaveAttribute("data-end", "approved");
  await page.getByTestId("return").click();
  const payment = await backAtTheShop(page, demo, "AUTHORIZED");
  await expectOneAuthorization(gateway, payment);
});

test("the back button shows what was given, and forward goes on", async ({ page, demo }) => {
  await pay(page, demo);
  await walkToReview(page, "customer@email.de", "pay_later");
  await page.goBack();
  await expect(page.getByTestId("plan-pay_later")).toBeChecked();
  await page.goBack();
  await expect(page.getByTestId("code")).toBeVisible();
  await page.goBack();
  await expect(page.getByTestId("contact")).toHaveValue("customer@email.de");
  await page.goForward();
  await page.goForward();
  await choose(page, "pay_now");
  await expect(page.getByTestId("chosen-plan")).toHaveAttribute("data-plan", "pay_now");
  await page.getByTestId("confirm").click();
  await backAtTheShop(page, demo, "AUTHORIZED");

  // Back into the journey: it says how it ended, and offers no second payment.
  await page.goBack();
  await expect(page.getByTestId("end")).toHaveAttribute("data-end", "approved");
  await expect(page.getByTestId("confirm")).toHaveCount(0);
});

test("a reload changes nothing on any page", async ({ page, demo, gateway }) => {
  await pay(page, demo);
  await page.reload();
  await expectHeading(page, "Who is paying?");
  await identify(page);
  await page.reload();
  await expect(page.getByTestId("code")).toBeVisible();
  await prove(page);
  await page.reload();
  await choose(page, "pay_later");
  await page.reload();
  await expect(page.getByTestId("chosen-plan")).toHaveAttribute("data-plan", "pay_later");
  await page.getByTestId("confirm").click();
  const payment = await backAtTheShop(page, demo, "AUTHORIZED");
  await page.reload();
  await backAtTheShop(page, demo, "AUTHORIZED");
  await page.getByTestId("capture").fill("10");
  await page.getByTestId("capture-button").click();
  await expect(page.getByTestId("done")).toBeVisible();
  await page.reload();
  await expect(page.getByTestId("captured")).toHaveAttribute("data-minor", "1000");
  await expectOneAuthorization(gateway, payment);
});

test("two clicks on confirm are one payment", async ({ page, demo, gateway }) => {
  const order = await pay(page, demo);
  await walkToReview(page);
  await page.getByTestId("confirm").dblclick();
  const payment = await backAtTheShop(page, demo, "AUTHORIZED");
  await expectOneAuthorization(gateway, payment);
  expect(await gateway.paymentsOf(order)).toHaveLength(1);
});

test("two clicks on pay, and on capture, are one of each", async ({ page, demo, gateway }) => {
  await page.goto(checkout(demo));
  const order = await page.locator("#pay-form input[name=order]").inputValue();
  await page.getByTestId("pay").dblclick();
  await expectHeading(page, "Who is paying?");
  expect(await gateway.paymentsOf(order)).toHaveLength(1);
  await walkToReview(page);
  await page.getByTestId("confirm").click();
  const payment = await backAtTheShop(page, demo, "AUTHORIZED");
  await page.getByTestId("capture").fill("10");
  await page.getByTestId("capture-button").dblclick();
  await expect(page.getByTestId("captured")).toHaveAttribute("data-minor", "1000");
  expect(await gateway.payment(payment)).toMatchObject({ captured_amount: 1_000 });
});

test("two tabs of one shopper are one visit and one payment", async ({ page, context, demo, gateway }) => {
  const order = await pay(page, demo);
  const second = await context.newPage();
  await second.goto(await addressOf(gateway, order));
  await expectHeading(second, "Who is paying?");
  await page.bringToFront();
  await walkToReview(page, "approved", "pay_later");

  await second.bringToFront();
  await second.goto(await addressOf(gateway, order));
  await expect(second).toHaveURL(/\/review$/);
  await second.getByTestId("confirm").click();
  const payment = await backAtTheShop(second, demo, "AUTHORIZED");
  await page.bringToFront();
  await page.getByTestId("confirm").click();
  expect(await backAtTheShop(page, demo, "AUTHORIZED")).toBe(payment);
  await expectOneAuthorization(gateway, payment);
});

test("a second tab that changes who pays makes the first prove it", async ({ page, context, demo, gateway }) => {
  const order = await pay(page, demo);
  const second = await context.newPage();
  await second.goto(await addressOf(gateway, order));
  await page.bringToFront();
  await walkToReview(page, "customer@email.de");
  await second.bringToFront();
  await identify(second, "someone.else@example.com");
  await page.bringToFront();
  await page.getByTestId("confirm").click();
  await expect(page).toHaveURL(/\/code$/);
  expect(await gateway.paymentsOf(order)).toMatchObject([{ state: "REQUIRES_CUSTOMER_ACTION" }]);
  await second.bringToFront();
  await prove(second);
  await choose(second);
  await second.getByTestId("confirm").click();
  const payment = await backAtTheShop(second, demo, "AUTHORIZED");
  await expectOneAuthorization(gateway, payment);
});

test("another browser begins at the start, and learns no way back after the end", async ({ page, browser, demo, gateway }) => {
  const order = await pay(page, demo);
  const address = await addressOf(gateway, order);
  await walkToReview(page);

  const context = await browser.newContext();
  const complaints = watch(context);
  const stranger = await context.newPage();
  await stranger.goto(address);
  await expectHeading(stranger, "Who is paying?");
  await expect(stranger.getByTestId("contact")).toHaveValue("");
  await page.getByTestId("confirm").click();
  await backAtTheShop(page, demo, "AUTHORIZED");
  await context.clearCookies();
  await stranger.goto(address);
  await expect(stranger.getByTestId("end")).toHaveAttribute("data-end", "approved");
  await expect(stranger.getByTestId("return")).toHaveCount(0);
  await context.close();
  expect(complaints).toEqual([]);
});

test("a link that leads nowhere says so, without a way to pay", async ({ page, demo }) => {
  await pay(page, demo);
  const start = page.url().replace(/\/contact$/, "/start?token=wrong");
  await page.context().clearCookies();
  const answer = await page.goto(start);
  expect(answer.status()).toBe(404);
  await expect(page.getByTestId("end")).toHaveAttribute("data-end", "unknown");
  await page.goto(start.replace(/start\?.*$/, "review"));
  await expect(page.getByTestId("end")).toHaveAttribute("data-end", "session");
  await page.goto(`${demo.shop}/order?payment_id=pay_nonesuch`);
  await expectHeading(page, "There is no such order");
});
