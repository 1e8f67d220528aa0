// The shop with the Web SDK: from a thing's page to money captured, on its own page and by express; what happens when the way is
// cut short; and what its pages are held to.

import { expectNothingSerious } from "../axe.mjs";
import { expect, test } from "../watch.mjs";
import { LAMP_DE, backAtTheShop, checkout, expectHeading, expectMoney, identify, openAccount, prove, choose, walkToReview } from "../walk.mjs";

/** The button that the SDK put on the page. */
const klarnaButton = (page) => page.getByTestId("klarna-button").getByRole("button");
const expressButton = (page) => page.getByTestId("express").getByRole("button");

/** From the front page to the checkout on our own page, in one of the SDK's modes. */
async function toCheckout(page, demo, mode = "DEVICE_BEST") {
  await page.goto(demo.shop);
  await page.getByRole("link", { name: "Marsh lamp", exact: true }).click();
  // A page that is left before its message came says so on the console.
  await expect(page.getByTestId("message")).toContainText(/\w/);
  await page.getByTestId("add-lamp").click();
  await expect(page.getByTestId("message")).toContainText(/\w/);
  await page.getByTestId("to-checkout").click();
  await expect(page.locator("#pay-form")).toHaveAttribute("data-ready", "true");
  if (mode !== "DEVICE_BEST") await page.getByTestId(`mode-${mode}`).click();
  await expect(page.locator("#pay-form")).toHaveAttribute("data-ready", "true");
}

/** The window that a press opens. */
async function windowOf(page, button) {
  const [journey] = await Promise.all([page.waitForEvent("popup"), button.click()]);
  return journey;
}

async function approve(journey) {
  await walkToReview(journey);
  await journey.getByTestId("confirm").click();
}

/** At the counter: everything is captured, and the gateway knows. */
async function capture(page, demo, gateway, minor = LAMP_DE.minor) {
  const payment = await backAtTheShop(page, demo, "AUTHORIZED");
  await page.getByTestId("capture-button").click();
  await expectMoney(page, { captured: minor, remaining: 0 });
  expect(await gateway.payment(payment)).toMatchObject({ state: "CAPTURED", captured_amount: minor });
  expect((await gateway.events(payment)).filter((type) => type === "payment.authorized")).toHaveLength(1);
  return payment;
}

/** Only on a screen that opens windows beside the page. */
const onDesktop = (isMobile) => test.skip(Boolean(isMobile), "phones go by redirect");

test("an address that leads nowhere says so, and leads back", async ({ page, demo }) => {
  const answer = await page.goto(`${demo.shop}/products/lamp/nowhere`);
  expect(answer.status()).toBe(404);
  await expectHeading(page, "There is no such page");
  await page.getByRole("link", { name: "Back to the shop" }).click();
  await expectHeading(page, "Things for a quiet house");
});

test("a thing and the cart say what paying bit by bit comes to", async ({ page, demo }) => {
  await page.goto(`${demo.shop}/products/blanket?market=GB`);
  await expect(page.getByTestId("message")).toContainText("Pay in 3");
  await page.goto(`${demo.shop}/cart?market=GB&blanket=1`);
  await expect(page.getByTestId("message")).toContainText("Pay in 3");
});

test("own page: Klarna is presented, and the payment runs in the mode that suits the device", async ({ page, demo, gateway }) => {
  await toCheckout(page, demo);
  const method = page.getByTestId("method-klarna");
  await expect(method.locator("#klarna-icon img")).toHaveAttribute("alt", "Klarna");
  await expect(method.locator("#klarna-subheader")).toContainText(/\w/);
  await expect(page.getByTestId("pay")).toBeHidden();
  await page.getByTestId("method-collect").getByRole("radio").check();
  await expect(page.getByTestId("klarna-button")).toBeHidden();
  await expect(page.getByTestId("pay")).toBeVisible();
  await method.getByRole("radio").check();
  await page.getByTestId("email").fill("customer@email.de");
  await approve(await windowOf(page, klarnaButton(page)));
  await capture(page, demo, gateway);
});

test.describe("in a phone's browser", () => {
  test.use({
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
    userAgent: "Mozilla/5.0 (Linux; Android 14; Phone) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
  });

  test("own page: the mode that suits the device is the redirect", async ({ page, demo, gateway }) => {
    await toCheckout(page, demo);
    await klarnaButton(page).click();
    await page.waitForURL(/\/requests\/.*\/contact$/);
    await approve(page);
    await capture(page, demo, gateway);
  });
});

test("own page: by redirect", async ({ page, demo, gateway }) => {
  await toCheckout(page, demo, "REDIRECT");
  await klarnaButton(page).click();
  await page.waitForURL(/\/requests\/.*\/contact$/);
  await approve(page);
  await capture(page, demo, gateway);
});

test("own page: in a window", async ({ page, demo, gateway, isMobile }) => {
  onDesktop(isMobile);
  await toCheckout(page, demo, "POPUP");
  const journey = await windowOf(page, klarnaButton(page));
  await expect(page.locator("network-curtain")).toContainText("Continue in the payment window");
  await approve(journey);
  await capture(page, demo, gateway);
  expect(journey.isClosed()).toBe(true);
});

test("own page: a blocked window becomes a frame, and pays", async ({ page, demo, gateway, isMobile, complaints }) => {
  onDesktop(isMobile);
  await page.addInitScript(() => (window.open = () => null));
  await toCheckout(page, demo, "ON_PAGE");
  await klarnaButton(page).click();
  const journey = page.frameLocator("network-curtain iframe");
  await journey.getByTestId("sample-approved").click();
  await journey.getByTestId("continue").click();
  await journey.getByTestId("code").fill("123456");
  await journey.getByTestId("continue").click();
  await journey.getByTestId("plan-pay_now").check();
  await journey.getByTestId("continue").click();
  await journey.getByTestId("confirm").click();
  await capture(page, demo, gateway);
  expect(complaints.splice(0).join()).toContain("blocked the payment window");
});

test("own page: a decline leads on to another try, and each is a payment of its own", async ({ page, demo, gateway, isMobile }) => {
  onDesktop(isMobile);
  await toCheckout(page, demo, "POPUP");
  const order = await page.locator("#pay-form input[name=order]").inputValue();
  const journey = await windowOf(page, klarnaButton(page));
  await walkToReview(journey, "denied");
  await journey.getByTestId("confirm").click();
  await expect(page.getByTestId("pay-says")).toContainText("Nothing was charged");
  await approve(await windowOf(page, klarnaButton(page)));
  await backAtTheShop(page, demo, "AUTHORIZED");
  const payments = await gateway.paymentsOf(order);
  expect(payments.map(({ state }) => state)).toEqual(["AUTHORIZED", "DECLINED"]);
});

test("own page: who leaves goes on where they were, and it is one payment", async ({ page, demo, gateway, isMobile }) => {
  onDesktop(isMobile);
  await toCheckout(page, demo, "POPUP");
  const order = await page.locator("#pay-form input[name=order]").inputValue();
  const journey = await windowOf(page, klarnaButton(page));
  await identify(journey);
  await prove(journey);
  await journey.getByTestId("leave").click();
  await expect(page.getByTestId("pay-says")).toContainText("You left before the end");
  await expect.poll(() => journey.isClosed()).toBe(true);
  const again = await windowOf(page, klarnaButton(page));
  await expectHeading(again, "How would you like to pay?");
  await choose(again);
  await again.getByTestId("confirm").click();
  await capture(page, demo, gateway);
  expect(await gateway.paymentsOf(order)).toHaveLength(1);
});

test("a basket that changed after a payment began makes that payment a new one", async ({ page, demo, gateway }) => {
  await page.goto(checkout(demo));
  const order = await page.locator("#pay-form input[name=order]").inputValue();
  await page.getByTestId("pay").click();
  await expectHeading(page, "Who is paying?");
  await page.goBack();
  // The form of before, with one lamp more: what the shop's server makes of it is what counts.
  await page.locator("#pay-form").evaluate((form, order) => {
    form.elements.lamp.value = "2";
    form.elements.order.value = order;
  }, order);
  await page.getByTestId("pay").click();
  await expectHeading(page, "Who is paying?");
  await expect(page.getByTestId("amount")).toHaveAttribute("data-minor", "18290");
  const payments = await gateway.paymentsOf(order);
  expect(payments.map(({ state, amount }) => [state, amount])).toEqual([["REQUIRES_CUSTOMER_ACTION", 18_290], ["CANCELED", 9_390]]);
});

test("express from the cart: the window asks where to, the server confirms with the token alone", async ({ page, demo, gateway }) => {
  await page.goto(`${demo.shop}/cart?${LAMP_DE.basket}`);
  const journey = await windowOf(page, expressButton(page));
  await identify(journey);
  await journey.getByTestId("code").fill("123456");
  await journey.getByTestId("continue").click();
  const address = { street_address: "Am Hafen 1", postal_code: "27498", city: "Helgoland" };
  for (const [name, text] of Object.entries(address)) await journey.getByTestId(name).fill(text);
  await journey.getByTestId("country").selectOption({ label: "Germany" });
  await expect(journey.getByTestId("country")).toHaveValue("DE");
  await journey.getByTestId("continue").click();
  await expect(journey.getByTestId("error-summary")).toBeVisible();
  await journey.getByTestId("postal_code").fill("20457");
  await journey.getByTestId("city").fill("Hamburg");
  await journey.getByTestId("continue").click();
  await journey.getByTestId("option-box").check();
  await journey.getByTestId("continue").click();
  await expect(journey.getByTestId("amount")).toHaveAttribute("data-minor", "9190");
  await choose(journey);
  await journey.getByTestId("confirm").click();
  const payment = await capture(page, demo, gateway, 9_190);
  await expect(page.locator("#main")).toContainText("To a parcel box");
  const known = await gateway.payment(payment);
  // Confirmed at once: there was no call of ours before the shopper approved.
  expect(await gateway.events(payment)).not.toContain("payment.requires_customer_action");
  expect(known.supplementary_purchase_data.shipping[0].address).toMatchObject({ city: "Hamburg", postal_code: "20457" });
});

test("express from a thing's page, and leaving it costs nothing", async ({ page, demo, gateway }) => {
  await page.goto(`${demo.shop}/products/mug?market=GB`);
  const left = await windowOf(page, expressButton(page));
  await left.waitForURL(/\/contact$/);
  await left.getByTestId("leave").click();
  await expect(page.getByTestId("express-says")).toContainText("Nothing was charged");
  await expect.poll(() => left.isClosed()).toBe(true);
  const journey = await windowOf(page, expressButton(page));
  await identify(journey);
  await journey.getByTestId("code").fill("123456");
  await journey.getByTestId("continue").click();
  const address = { street_address: "Quay 2", postal_code: "BS1 4DJ", city: "Bristol" };
  for (const [name, text] of Object.entries(address)) await journey.getByTestId(name).fill(text);
  await journey.getByTestId("continue").click();
  await journey.getByTestId("option-home").check();
  await journey.getByTestId("continue").click();
  await choose(journey);
  await journey.getByTestId("confirm").click();
  await capture(page, demo, gateway, 2_495);
});

test("an order shows what is done behind the counter while it is open, and nothing that is typed is lost", async ({ page, context, demo, gateway }) => {
  await page.goto(checkout(demo));
  await page.getByTestId("pay").click();
  await approve(page);
  const payment = await backAtTheShop(page, demo, "AUTHORIZED");
  const counter = await context.newPage();
  await counter.goto(page.url());
  await counter.getByTestId("capture").fill("50");
  await counter.getByTestId("capture-button").click();
  await expect(counter.getByTestId("done")).toBeVisible();

  await page.bringToFront();
  await page.getByTestId("capture").fill("12.34");
  await expectMoney(page, { captured: 5_000, remaining: 4_390 });
  await expect(page.getByTestId("state")).toHaveAttribute("data-state", "PARTIALLY_CAPTURED");
  await expect(page.getByTestId("timeline").locator("[data-event='payment.captured']")).toHaveCount(1);
  await expect(page.getByTestId("capture")).toHaveValue("12.34");
  await expect(page.getByTestId("capture")).toBeFocused();

  await counter.bringToFront();
  await counter.getByTestId("refund").fill("20");
  await counter.getByTestId("refund-button").click();
  await expect(counter.getByTestId("done")).toHaveText("Refunded.");
  await page.bringToFront();
  await expectMoney(page, { refunded: 2_000 });
  expect(await gateway.payment(payment)).toMatchObject({ captured_amount: 5_000, refunded_amount: 2_000 });
});

for (const way of ["page", "server"]) {
  test(`remembered by the ${way}: the next visit pays with one press, until it is taken back`, async ({ page, demo, gateway }) => {
    const toTheEnd = async () => {
      await page.waitForURL(/\/requests\/.*\/contact$/);
      await approve(page);
      return capture(page, demo, gateway);
    };
    await page.goto(`${checkout(demo, LAMP_DE.basket, way)}&mode=REDIRECT`);
    if (way === "page") await expect(page.locator("#pay-form")).toHaveAttribute("data-ready", "true");
    await page.getByTestId("remember").getByRole("checkbox").check();
    await (way === "page" ? klarnaButton(page) : page.getByTestId("pay")).click();
    const first = await toTheEnd();
    expect((await gateway.payment(first)).customer_token_id).toMatch(/^ctk_/);

    await page.getByTestId("to-account").click();
    await expect(page.getByTestId("saved")).toContainText("Active");
    await expect(page.getByTestId("orders").getByRole("row")).toHaveCount(2);
    await expectNothingSerious(page, "account");

    await page.goto(checkout(demo, "market=DE&mug=1", way));
    if (way === "page") await expect(page.locator("#pay-form")).toHaveAttribute("data-ready", "true");
    await expect(page.getByTestId("method-saved").getByRole("radio")).toBeChecked();
    await page.getByRole("button", { name: "Pay €28.90 now" }).click();
    const second = await capture(page, demo, gateway, 2_890);
    expect(await gateway.events(second)).not.toContain("payment.requires_customer_action");

    await page.getByTestId("to-account").click();
    await page.getByTestId("forget").click();
    await expect(page.getByTestId("saved")).toContainText("Taken back");
    await page.goto(checkout(demo, "market=DE&mug=1", way));
    await expect(page.getByTestId("method-saved")).toHaveCount(0);
  });
}

/** From the account's page to Klarna, and back signed in. */
async function signIn(page, demo, { who = "customer@email.de", basket = "" } = {}) {
  await page.goto(`${demo.shop}/account?${basket}`);
  await page.getByTestId("sign-in").click();
  await page.getByTestId("contact").fill(who);
  await page.getByTestId("continue").click();
  await page.getByTestId("code").fill("123456");
  await page.getByTestId("continue").click();
  await page.waitForURL(/\/(details|consent)$/);
  if (page.url().endsWith("/details")) await openAccount(page);
  await page.getByTestId("share").click();
  await expectHeading(page, "Good to see you, Test");
}

const cookie = async (page, name) => (await page.context().cookies()).find((cookie) => cookie.name === name);

test("signed in: what was saved pays with one press in another tab and on another device, until it is taken back", async ({ page, context, browser, demo, gateway }) => {
  // Somebody else may already have told this browser who they are: that name must not become the person's.
  await context.addCookies([{ name: "tallow_tern_person", value: "chosen-by-somebody-else", url: demo.shop }]);
  // Whose account is empty.
  const who = `someone-${Date.now()}-${Math.random().toString(36).slice(2)}@people.example`;
  await signIn(page, demo, { who, basket: LAMP_DE.basket });
  expect(await cookie(page, "tallow_tern_person")).toMatchObject({ httpOnly: true, sameSite: "Lax" });
  expect((await cookie(page, "tallow_tern_person")).value).not.toBe("chosen-by-somebody-else");
  expect(await cookie(page, "tallow_tern_attempt")).toBeUndefined();
  // The cart is still there.
  await expect(page.getByTestId("to-cart")).toContainText("1");
  await expectNothingSerious(page, "account, signed in");

  await page.goto(`${checkout(demo, LAMP_DE.basket, "page")}&mode=REDIRECT`);
  await expect(page.locator("#pay-form")).toHaveAttribute("data-instruction", "PRESELECT_KLARNA");
  await expect(page.getByTestId("email")).toHaveValue(who);
  await page.getByTestId("remember").getByRole("checkbox").check();
  await klarnaButton(page).click();
  // No code again: the journey knows who signed in.
  await page.waitForURL(/\/plan$/);
  await choose(page);
  await page.getByTestId("confirm").click();
  const first = await capture(page, demo, gateway);
  expect((await gateway.payment(first)).customer_token_id).toMatch(/^ctk_/);

  const tab = await context.newPage();
  await tab.goto(demo.shop);
  await tab.getByTestId("to-account").click();
  await expectHeading(tab, "Good to see you, Test");
  await expect(tab.getByTestId("saved")).toContainText("Active");
  await expect(tab.getByTestId("orders").getByRole("row")).toHaveCount(2);
  await tab.goto(checkout(demo, "market=DE&mug=1", "page"));
  await expect(tab.locator("#pay-form")).toHaveAttribute("data-ready", "true");
  await expect(tab.getByTestId("method-saved").getByRole("radio")).toBeChecked();
  await tab.getByRole("button", { name: "Pay €28.90 now" }).click();
  const second = await capture(tab, demo, gateway, 2_890);
  expect(await gateway.events(second)).not.toContain("payment.requires_customer_action");

  const elsewhere = await browser.newContext({ locale: "en-GB" });
  const device = await elsewhere.newPage();
  await signIn(device, demo, { who });
  await expect(device.getByTestId("orders").getByRole("row")).toHaveCount(3);
  await device.getByTestId("forget").click();
  await expect(device.getByTestId("saved")).toContainText("Taken back");
  await elsewhere.close();

  await page.goto(checkout(demo, "market=DE&mug=1", "page"));
  await expect(page.locator("#pay-form")).toHaveAttribute("data-ready", "true");
  await expect(page.getByTestId("method-saved")).toHaveCount(0);
  await page.getByTestId("to-account").click();
  await page.getByTestId("leave-account").click();
  await expect(page.getByTestId("sign-in")).toBeVisible();
  await expect(page.getByTestId("orders")).toHaveCount(0);
  expect(await cookie(page, "tallow_tern_person")).toBeUndefined();
  expect(await cookie(page, "tallow_tern_network")).toBeUndefined();
  await page.goto(checkout(demo, LAMP_DE.basket, "page"));
  await expect(page.getByTestId("email")).toHaveValue("");
});

test("what a browser saved stays the browser's: it is not whose who signs in there", async ({ page, demo, gateway }) => {
  await page.goto(checkout(demo));
  await page.getByTestId("remember").getByRole("checkbox").check();
  await page.getByTestId("pay").click();
  await approve(page);
  await backAtTheShop(page, demo, "AUTHORIZED");
  await page.getByTestId("to-account").click();
  const token = await page.getByTestId("saved").locator(".id").innerText();
  await signIn(page, demo);
  await expect(page.getByTestId("saved")).not.toContainText(token);
  await page.getByTestId("leave-account").click();
  await expect(page.getByTestId("saved")).toContainText(token);
});

test("a sign-in that this browser did not begin is refused, and one that is ended is no fault", async ({ page, demo }) => {
  const answer = await page.goto(`${demo.shop}/account/signed-in?code=stolen&state=unknown`);
  expect(answer.status()).toBe(422);
  await expectHeading(page, "You are not signed in");
  await page.goto(`${demo.shop}/account`);
  await page.getByTestId("sign-in").click();
  // Another answer than its own does not end the sign-in that is under way.
  const asked = page.url();
  expect((await page.goto(`${demo.shop}/account/signed-in?error=access_denied&state=unknown`)).status()).toBe(422);
  await page.goto(asked);
  await page.getByTestId("leave").click();
  await expect(page.getByTestId("notice")).toContainText("You ended the sign-in");
  await expect(page.getByTestId("sign-in")).toBeVisible();
});

test("hosted: the gateway's page takes the payment, and leads back to the order", async ({ page, demo, gateway }) => {
  await page.goto(checkout(demo));
  await page.getByTestId("way-hosted").click();
  await page.getByRole("button", { name: "To the payment page" }).click();
  await expect(page.getByTestId("amount")).toHaveAttribute("data-minor", String(LAMP_DE.minor));
  expect(new URL(page.url()).origin).toBe(demo.gateway);
  await expect(page.locator("#main")).toHaveAttribute("data-ready", "true");
  await page.getByTestId("method-klarna").first().check();
  const button = page.getByTestId("klarna-button").getByRole("button");
  await approve(await windowOf(page, button));
  await capture(page, demo, gateway);
  await expect(page.locator("#main")).toContainText("Marsh lamp");
});

test("hosted: the other way leads to the counter", async ({ page, demo }) => {
  await page.goto(checkout(demo, LAMP_DE.basket, "hosted"));
  await page.getByRole("button", { name: "To the payment page" }).click();
  await expect(page.locator("#main")).toHaveAttribute("data-ready", "true");
  await page.getByTestId("method-other").check();
  await page.getByTestId("pay").click();
  await expectHeading(page, "It waits for you");
});

test("paying at the counter charges nothing", async ({ page, demo, gateway }) => {
  await page.goto(checkout(demo));
  await page.getByTestId("method-collect").getByRole("radio").check();
  await page.getByTestId("pay").click();
  await expectHeading(page, "It waits for you");
  expect(await gateway.paymentsOf(await page.getByTestId("reference").innerText())).toEqual([]);
});

for (const colorScheme of ["light", "dark"]) {
  test.describe(`in ${colorScheme} colours`, () => {
    test.use({ colorScheme });

    test(`axe finds nothing serious on the shop's pages in ${colorScheme} colours, and none allows anything inline`, async ({ page, demo }) => {
      test.slow();
      const full = "market=SE&lamp=9&mug=1&blanket=2";
      const paths = ["/", `/?${full}`, `/products/lamp?${full}`, "/cart", `/cart?${full}`, `/checkout?${full}&way=server`, `/checkout?${full}&way=hosted`, `/checkout?${full}`, `/reserved?${full}&order=TT-00000000`];
      for (const path of paths) {
        const answer = await page.goto(demo.shop + path);
        const policy = answer.headers()["content-security-policy"];
        expect(policy, path).toContain("default-src 'none'");
        expect(policy, path).toContain(`script-src 'self' ${demo.network};`);
        expect(policy, path).not.toContain("unsafe");
        const inline = await page.locator("[style], style, script:not([src]):not([type='application/json'])").count();
        expect(inline, `${path} has something inline`).toBe(0);
        if (path.startsWith("/checkout") && !path.includes("way=")) await expect(page.locator("#pay-form")).toHaveAttribute("data-ready", "true");
        if (/^\/(cart\?|products)/.test(path)) await expect(page.getByTestId("message")).toContainText(/\w/);
        await expectNothingSerious(page, path);
      }
    });
  });
}
