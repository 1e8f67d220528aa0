// The hosted page of the gateway, in a browser, with the Web SDK of the network end.

import { canMoveTime, runOut } from "../books.mjs";
import { approve, expect, expectSound, pressKlarna, ready, scan, test, windowOf } from "../hosted.mjs";
import { backAtTheShop, choose, expectMoney, identify, prove, walkToReview } from "../walk.mjs";

test("the customer pays on the hosted page", async ({ page, partner, demo }) => {
  const session = await partner.open({ branding: { name: "Lamps & Light", accent_color: "#1f5673", background_color: "#f4f1ea" } });
  await page.goto(session.url);
  await ready(page);
  await expect(page.getByTestId("amount")).toHaveText("€93.90");
  await expect(page.getByTestId("order")).toContainText("Harbour lamp");
  await expect(page.locator("#klarna-options")).toContainText("Klarna");
  await expect(page.getByTestId("pay")).toHaveCSS("background-color", "rgb(31, 86, 115)");
  await expectSound(page, "hosted page");
  const journey = await windowOf(page);
  await approve(journey);
  await page.waitForURL((url) => url.origin === demo.shop && url.searchParams.get("state") === "COMPLETED");
  const paid = await partner.becomes(session, "COMPLETED");
  expect(paid).toMatchObject({ method: "KLARNA", attempts: 1 });
  expect(new URL(page.url()).searchParams.get("payment_id")).toBe(paid.payment_id);

  // An order that is completed already: from the address, and by the back button.
  await page.goto(session.url);
  await expect(page.getByTestId("end")).toHaveAttribute("data-end", "paid");
  await expectSound(page, "paid");
  await page.getByTestId("back").click();
  await page.waitForURL((url) => url.origin === demo.shop);
});

test("a decline leaves a way on", async ({ page, partner }) => {
  const session = await partner.open();
  await page.goto(session.url);
  await ready(page);
  const journey = await windowOf(page);
  await approve(journey, "denied");
  await expect(page.getByTestId("notice")).toHaveAttribute("data-notice", "declined");
  await expectSound(page, "declined");
  await ready(page);
  await page.getByTestId("method-other").check();
  await page.getByTestId("pay").click();
  await page.waitForURL((url) => url.searchParams.get("checkout_session_id") === session.id);
  expect(await partner.read(session)).toMatchObject({ state: "OPEN", attempts: 1 });
  await page.goBack();
  await expect(page.getByTestId("end")).toHaveAttribute("data-end", "elsewhere");
  await expectSound(page, "in another way");
  await partner.post(`/v1/checkout-sessions/${session.id}/complete`, {});
  await page.goto(session.url);
  await expect(page.getByTestId("end")).toHaveAttribute("data-end", "paid");
});

test("who leaves Klarna comes back to the page and goes on", async ({ page, partner, demo, isMobile }) => {
  test.skip(isMobile, "in a window");
  const session = await partner.open();
  await page.goto(session.url);
  await ready(page);
  const journey = await windowOf(page);
  await identify(journey);
  await journey.close();
  await expect(page.getByTestId("notice")).toHaveAttribute("data-notice", "left");
  await ready(page);
  const again = await windowOf(page);
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
  const second = await windowOf(other);
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
  await expectSound(page, "canceled");
  await page.goto(`${demo.gateway}/checkout/nonesuch`);
  await expect(page.getByTestId("end")).toHaveAttribute("data-end", "unknown");
  await expectSound(page, "unknown");
});

test("where Klarna is not available it is not shown", async ({ page, partner }) => {
  const session = await partner.open({ currency: "JPY", locale: "en-JP" });
  await page.goto(session.url);
  await expect(page.locator("#main")).toHaveAttribute("data-ready", "true");
  await expect(page.getByTestId("method-klarna")).toHaveCount(0);
  // The only way there is, is chosen already.
  await expect(page.getByTestId("method-other")).toBeChecked();
  await expect(page.getByTestId("pay")).toHaveText("Continue");
  await expectSound(page, "without Klarna");
  const alone = await partner.open({ currency: "JPY", locale: "en-JP", other_method: undefined });
  await page.goto(alone.url);
  await ready(page);
  await expect(page.getByTestId("no-way")).toBeVisible();
  await expect(page.getByTestId("choices")).toBeHidden();
  await expect(page.getByTestId("pay")).toBeHidden();
  await expectSound(page, "no way to pay");
});

test("time runs out while the page is open", async ({ page, partner, demo }) => {
  test.skip(!canMoveTime, "needs python3");
  const session = await partner.open();
  await page.goto(session.url);
  await ready(page);
  await page.getByTestId("method-klarna").first().check();
  runOut(demo, session.id);
  // The page says so by itself, and offers a way back.
  await expect(page.getByTestId("end")).toHaveAttribute("data-end", "expired");
  await expectSound(page, "expired");
  await partner.becomes(session, "EXPIRED");
  await page.getByTestId("back").click();
  await page.waitForURL((url) => url.origin === demo.shop && url.searchParams.get("state") === "EXPIRED");
});

test("time runs out while the customer is at Klarna: nothing can be paid there any more", async ({ page, partner, demo, isMobile }) => {
  test.skip(!canMoveTime || isMobile, "needs python3; the same on every screen");
  const session = await partner.open();
  await page.goto(session.url);
  await ready(page);
  const journey = await windowOf(page);
  await walkToReview(journey);
  runOut(demo, session.id);
  const { payment_id: payment } = await partner.becomes(session, "EXPIRED");
  expect(await partner.get(`/v1/payments/${payment}`)).toMatchObject({ state: "CANCELED" });
  // Its window closes by itself, or has nothing to confirm any more.
  const confirms = () => journey.getByTestId("confirm").count().catch(() => 0);
  await expect.poll(async () => journey.isClosed() || (await journey.reload().then(confirms, () => 0))).not.toBe(1);
  await expect(page.getByTestId("end")).toHaveAttribute("data-end", "expired");
});

test("a page that is loaded again remembers that Klarna was chosen, or the other way", async ({ page, partner }) => {
  const session = await partner.open();
  await page.goto(session.url);
  await ready(page);
  await expect(page.locator('input[name="method"]:checked')).toHaveCount(0);
  for (const [chosen, other] of [
    ["method-klarna", "method-other"],
    ["method-other", "method-klarna"],
  ]) {
    await page.getByTestId(chosen).first().check();
    await page.reload();
    await ready(page);
    await expect(page.getByTestId(chosen).first()).toBeChecked();
    await expect(page.getByTestId(other).first()).not.toBeChecked();
    await expect(page.getByTestId("klarna-button")).toBeVisible({ visible: chosen === "method-klarna" });
  }
});

test("a page that is loaded again in the middle of paying goes on, and leads to the shop", async ({ page, partner, demo, isMobile }) => {
  test.skip(isMobile, "in a window");
  const session = await partner.open();
  await page.goto(session.url);
  await ready(page);
  const journey = await windowOf(page);
  await identify(journey);
  await page.reload();
  await expect(page.getByTestId("notice")).toHaveAttribute("data-notice", "left");
  await ready(page);
  await expect(page.getByTestId("method-klarna").first()).toBeChecked();
  await prove(journey);
  await choose(journey);
  await journey.getByTestId("confirm").click();
  await page.bringToFront();
  await page.waitForURL((url) => url.origin === demo.shop && url.searchParams.get("state") === "COMPLETED");
  expect((await partner.becomes(session, "COMPLETED")).attempts).toBe(1);
});

test("the back button leads from Klarna to the page, and forward goes on", async ({ telephone, partner, demo }) => {
  const session = await partner.open();
  await telephone.goto(session.url);
  await ready(telephone);
  await pressKlarna(telephone);
  await expect(telephone).toHaveURL(/\/contact$/);
  await telephone.goBack();
  await expect(telephone.getByTestId("notice")).toHaveAttribute("data-notice", "left");
  await ready(telephone);
  await expect(telephone.getByTestId("method-klarna").first()).toBeChecked();
  await telephone.getByTestId("klarna-button").getByRole("button").click();
  await approve(telephone);
  await telephone.waitForURL((url) => url.origin === demo.shop);
  expect((await partner.becomes(session, "COMPLETED")).attempts).toBe(1);
});

test("who pays in another way in one tab begins nothing with Klarna in another, until the choice is taken back", async ({ page, context, partner, demo, gateway }) => {
  const session = await partner.open();
  const other = await context.newPage();
  for (const tab of [page, other]) {
    await tab.goto(session.url);
    await ready(tab);
  }
  // The second tab does not notice: it is asked before it has looked.
  await other.route("**/state", (route) => route.abort("aborted"));
  await page.bringToFront();
  await page.getByTestId("method-other").check();
  await page.getByTestId("pay").click();
  await page.waitForURL((url) => url.searchParams.get("checkout_session_id") === session.id);
  await other.bringToFront();
  await pressKlarna(other);
  await expect(other.getByTestId("end")).toHaveAttribute("data-end", "elsewhere");
  await expectSound(other, "in another way");
  expect(await gateway.paymentsOf(session.reference)).toEqual([]);
  await other.getByTestId("again").click();
  await ready(other);
  await other.unroute("**/state");
  const journey = await windowOf(other);
  await approve(journey);
  await other.waitForURL((url) => url.origin === demo.shop);
  expect(await partner.becomes(session, "COMPLETED")).toMatchObject({ method: "KLARNA", attempts: 1 });
  const { events } = await partner.get("/v1/events?type=checkout_session.*&size=100");
  const told = events.filter(({ data }) => data.checkout_session.id === session.id).map(({ type }) => type.split(".")[1]);
  expect(told.sort()).toEqual(["completed", "other_method_chosen", "other_method_withdrawn"]);
});

test("an order that is completed already says so", async ({ page, partner, demo }) => {
  const session = await partner.open({ order_status: "COMPLETED" });
  expect(session).toMatchObject({ state: "COMPLETED", method: "OTHER" });
  await page.goto(session.url);
  await expect(page.getByTestId("end")).toHaveAttribute("data-end", "paid");
  await expect(page.getByTestId("pay-form")).toHaveCount(0);
  await expectSound(page, "completed already");
  await expect(page.getByTestId("back")).toHaveAttribute("href", new RegExp(`^${demo.shop}/order\\?.*state=COMPLETED`));
  await page.getByTestId("back").click();
  await page.waitForURL((url) => url.origin === demo.shop);
});

test("from a thing's page to captured money, paid on a second device by its code", async ({ page, demo, gateway, telephone, isMobile }) => {
  test.skip(isMobile, "who holds a telephone already is shown no code");
  test.slow();
  await page.goto(demo.shop);
  await page.getByRole("link", { name: "Marsh lamp", exact: true }).click();
  await expect(page.getByTestId("message")).toContainText(/\w/);
  await page.getByTestId("add-lamp").click();
  await expect(page.getByTestId("message")).toContainText(/\w/);
  await page.getByTestId("to-checkout").click();
  await expect(page.locator("#pay-form")).toHaveAttribute("data-ready", "true");
  await page.getByTestId("way-hosted").click();
  await page.getByRole("button", { name: "To the payment page" }).click();
  await ready(page);
  await page.getByTestId("on-phone").locator("summary").click();
  await expectSound(page, "with its code");
  const address = await scan(page.getByTestId("code"));
  expect(address).toBe(page.url());
  await telephone.goto(address);
  await ready(telephone);
  await expect(telephone.getByTestId("on-phone")).toBeHidden();
  await pressKlarna(telephone);
  await approve(telephone);
  await telephone.waitForURL((url) => url.origin === demo.shop);
  await expect(page.getByTestId("end")).toHaveAttribute("data-end", "paid");
  await page.getByTestId("back").click();
  const payment = await backAtTheShop(page, demo, "AUTHORIZED");
  await page.getByTestId("capture-button").click();
  await expectMoney(page, { captured: 9_390, remaining: 0 });
  expect(await gateway.payment(payment)).toMatchObject({ state: "CAPTURED", captured_amount: 9_390 });
});

test("a name, a label and lines that are too long or hostile are shown as text, and fit", async ({ page, partner }) => {
  const name = `<script>alert(1)</script> ${"Donaudampfschiff".repeat(3)}`;
  const session = await partner.open({
    reference: "r".repeat(200),
    branding: { name, accent_color: "#5b0000", background_color: "#fffafa" },
    line_items: [{ name: "Donaudampfschifffahrtsgesellschaft".repeat(4), quantity: 120, total_amount: 9_390 }],
    other_method: { url: "https://shop.example/", label: "Pay".repeat(20) },
  });
  await page.goto(session.url);
  await ready(page);
  await expect(page.getByRole("banner")).toContainText(name);
  await expectSound(page, "hostile");
  for (const box of [page.getByTestId("order"), ...(await page.locator(".choice").all()), page.getByTestId("pay"), page.getByTestId("back")]) {
    const { x, width } = await box.boundingBox();
    const column = await page.locator("#main").boundingBox();
    expect(x + width, await box.innerText()).toBeLessThanOrEqual(column.x + column.width);
  }
});
