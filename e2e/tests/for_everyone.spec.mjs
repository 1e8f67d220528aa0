// By keyboard, without script, by screen reader, in light and dark, on narrow screens; and nothing from elsewhere.

import { expectNothingSerious as check } from "../axe.mjs";
import { expect, test, watch } from "../watch.mjs";
import { backAtTheShop, checkout, choose, expectHeading, expectMoney, identify, pay, prove, walkToReview } from "../walk.mjs";

/** Presses Tab until the element has the focus, and sees at every stop that the focus shows. */
async function tabTo(page, target) {
  for (let stops = 0; stops < 60; stops += 1) {
    await page.keyboard.press("Tab");
    const shown = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return "page";
      const hasRing = (candidate) => {
        const { outlineStyle, outlineWidth } = getComputedStyle(candidate);
        return outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 1;
      };
      // A choice shows its radio button's focus around the whole card.
      const shows = hasRing(element) || [...(element.labels ?? [])].some(hasRing);
      return shows ? "shown" : `hidden: ${element.outerHTML.slice(0, 120)}`;
    });
    expect(shown).not.toContain("hidden");
    if (await target.evaluate((element) => element === document.activeElement)) return;
  }
  throw new Error(`Tab does not reach ${target}`);
}

test("the whole way by keyboard alone", async ({ page, demo }) => {
  const { keyboard } = page;
  await page.goto(checkout(demo));
  await keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to content" })).toBeFocused();
  await expect(page.getByRole("link", { name: "Skip to content" })).toBeInViewport();
  await keyboard.press("Enter");
  await tabTo(page, page.getByTestId("pay"));
  await keyboard.press("Enter");

  await expectHeading(page, "Who is paying?");
  await tabTo(page, page.getByTestId("contact"));
  await keyboard.type("customer@email.de");
  await keyboard.press("Enter");
  await expectHeading(page, "Enter the code");
  await tabTo(page, page.getByTestId("code"));
  await keyboard.type("123456");
  await keyboard.press("Enter");
  await expectHeading(page, "How would you like to pay?");
  await tabTo(page, page.getByTestId("plan-pay_now"));
  await keyboard.press("ArrowDown");
  await expect(page.getByTestId("plan-pay_later")).toBeChecked();
  await tabTo(page, page.getByTestId("continue"));
  await keyboard.press("Space");
  await expectHeading(page, "Review and confirm");
  await expect(page.getByTestId("chosen-plan")).toHaveAttribute("data-plan", "pay_later");
  await tabTo(page, page.getByTestId("confirm"));
  await keyboard.press("Enter");

  await backAtTheShop(page, demo, "AUTHORIZED");
  await tabTo(page, page.getByTestId("capture"));
  await keyboard.press("ControlOrMeta+A");
  await keyboard.type("5");
  await keyboard.press("Enter");
  await expectMoney(page, { captured: 500 });
});

test.describe("without script", () => {
  test.use({ javaScriptEnabled: false });

  test("everything works", async ({ page, demo }) => {
    await page.goto(demo.shop);
    await page.getByTestId("add-stool").click();
    await page.getByTestId("to-checkout").click();
    await page.getByTestId("pay").click();
    await expectHeading(page, "Who is paying?");
    await expect(page.locator("[data-theme-switch]")).toBeHidden();
    await identify(page);
    await page.getByTestId("fill-code").click();
    await expect(page.getByTestId("code")).toHaveValue("123456");
    await page.getByTestId("code").fill("12");
    await page.getByTestId("continue").click();
    await expect(page.getByTestId("error-summary")).toContainText("Enter the six digits");
    await prove(page);
    await choose(page, "pay_in_3");
    await page.getByTestId("confirm").click();
    await backAtTheShop(page, demo, "AUTHORIZED");
    await page.getByTestId("capture-button").click();
    await expectMoney(page, { captured: 14_990, remaining: 0 });
    await page.getByTestId("refund-button").click();
    await expectMoney(page, { captured: 14_990, refunded: 14_990 });
  });

  test("the reference is all there", async ({ page, demo }) => {
    await page.goto(`${demo.gateway}/docs`);
    await expect(page.getByRole("heading", { level: 1 })).toHaveCount(1);
    await expect(page.getByRole("heading", { name: "Capture a payment" })).toBeVisible();
  });
});

for (const colorScheme of ["light", "dark"]) {
  test.describe(`in ${colorScheme} colours, nothing serious for axe`, () => {
    test.use({ colorScheme });

    test("shop, journey and order", async ({ page, demo }) => {
      test.slow();
      await pay(page, demo);
      await check(page, "contact");
      await page.getByTestId("contact").fill("?");
      await page.getByTestId("continue").click();
      await expect(page.getByTestId("error-summary")).toBeVisible();
      await check(page, "contact with a fault");
      await identify(page);
      await check(page, "code");
      await page.getByTestId("code").fill("999999");
      await page.getByTestId("continue").click();
      await expect(page.getByTestId("error-summary")).toBeVisible();
      await check(page, "code with a fault");
      await prove(page);
      await page.locator("#terms summary").click();
      await check(page, "plan");
      await choose(page, "pay_in_3");
      await page.locator("#refuse-more summary").click();
      await check(page, "review");
      await page.getByTestId("confirm").click();
      await backAtTheShop(page, demo, "AUTHORIZED");
      await page.locator("#void-more summary").click();
      await check(page, "order");
      await page.getByTestId("capture").fill("nothing");
      await page.getByTestId("capture-button").click();
      await expect(page.getByTestId("capture")).toHaveAttribute("aria-invalid", "true");
      await check(page, "order with a fault");
      await page.getByTestId("capture").fill("9999");
      await page.getByTestId("capture-button").click();
      await expect(page.getByTestId("failure")).toBeVisible();
      await check(page, "order with a failure");
      await page.getByTestId("capture").fill("10");
      await page.getByTestId("capture-button").click();
      await expect(page.getByTestId("done")).toBeVisible();
      await check(page, "order after a capture");
      await page.goto(`${demo.shop}/order?payment_id=pay_nonesuch`);
      await check(page, "no such order");
    });

    test("the ends of a journey", async ({ page, demo }) => {
      await pay(page, demo);
      const start = page.url().replace(/\/contact$/, "/start?token=wrong");
      await walkToReview(page, "denied");
      await page.getByTestId("confirm").click();
      await expect(page.getByTestId("end")).toBeVisible();
      await check(page, "declined");
      await page.getByTestId("return").click();
      await backAtTheShop(page, demo, "DECLINED");
      await check(page, "declined, at the shop");
      await page.goto(start);
      await check(page, "unknown link");
    });

    test("the network end's front page", async ({ page, demo }) => {
      await page.goto(demo.network);
      await expectHeading(page, /.+/);
      await check(page, "front page");
    });

    test("the reference", async ({ page, demo }) => {
      test.slow();
      await page.goto(`${demo.gateway}/docs`);
      await check(page, "reference");
    });
  });
}

test.describe("on the narrowest screen", () => {
  test.use({ viewport: { width: 320, height: 640 } });

  const expectNoSidewaysScroll = async (page, where) => {
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect.soft(width, `${where} is wider than the screen`).toBeLessThanOrEqual(320);
  };

  test("the reference is read without scrolling sideways", async ({ page, demo }) => {
    await page.goto(`${demo.gateway}/docs`);
    await expectHeading(page, /.+/);
    await expectNoSidewaysScroll(page, "the reference");
    // Nothing is cut off either: what is wider than its box can be scrolled inside it.
    const cut = await page.locator("main *").evaluateAll((all) => {
      const scrolls = (element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
      const reachable = (element) => element && (scrolls(element) || reachable(element.parentElement));
      return all
        .filter((element) => element.getClientRects().length > 0 && element.getBoundingClientRect().right > 321)
        .filter((element) => !reachable(element))
        .map((element) => element.outerHTML.slice(0, 100));
    });
    expect(cut).toEqual([]);
  });

  test("shop, journey, order and front page fit", async ({ page, demo }) => {
    await page.goto(demo.network);
    await expectNoSidewaysScroll(page, "the network end's front page");
    const full = "market=NO&lamp=9&mug=9&blanket=9&stool=8";
    for (const path of ["", "products/lamp", "cart", "reserved"]) {
      await page.goto(`${demo.shop}/${path}?${full}&order=TT-00000000`);
      if (/products|cart/.test(path)) await expect(page.getByTestId("message")).toContainText(/\w/);
      await expectNoSidewaysScroll(page, `the shop's ${path || "front page"}`);
    }
    await page.goto(checkout(demo, full, "page"));
    await expect(page.locator("#pay-form")).toHaveAttribute("data-ready", "true");
    await expectNoSidewaysScroll(page, "the checkout");
    await page.goto(checkout(demo, full));
    await page.getByTestId("pay").click();
    await expectNoSidewaysScroll(page, "contact");
    await identify(page, "a.shopper.with.a.remarkably.long.address@a-domain-that-goes-on-and-on.example.com");
    await expectNoSidewaysScroll(page, "code");
    await prove(page);
    await expectNoSidewaysScroll(page, "plan");
    await choose(page, "pay_in_3");
    await expectNoSidewaysScroll(page, "review");
    await page.getByTestId("confirm").click();
    await backAtTheShop(page, demo, "AUTHORIZED");
    await expectNoSidewaysScroll(page, "the order");
  });
});

test("the colours can be switched and stay switched", async ({ page, demo }) => {
  await page.goto(demo.shop);
  const button = page.locator("[data-theme-switch]");
  await expect(button).toHaveAccessibleName("Theme: automatic");
  await button.click();
  await button.click();
  await expect(button).toHaveAccessibleName("Theme: dark");
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await paper();
  await page.reload();
  await expect(button).toHaveAccessibleName("Theme: dark");
  expect(await paper()).toBe(dark);
  await button.click();
  await expect(button).toHaveAccessibleName("Theme: automatic");
  expect(await paper()).not.toBe(dark);
});

test("pages forbid what they do not need", async ({ page, demo }) => {
  const policyOf = (answer) => answer.headers()["content-security-policy"];
  for (const address of [demo.shop, `${demo.gateway}/docs`]) {
    const policy = policyOf(await page.goto(address));
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe");
  }
  await pay(page, demo);
  const answer = await page.reload();
  expect(policyOf(answer)).toContain("default-src 'none'");
  expect(policyOf(answer)).not.toContain("unsafe");
  expect(answer.headers()["cache-control"]).toBe("no-store");
  expect(answer.headers()["referrer-policy"]).toBe("no-referrer");
});

test("the watch sees a violation of the policy, a missing file and a fault in a script", async ({ browser, demo }) => {
  const context = await browser.newContext();
  const complaints = watch(context);
  const page = await context.newPage();
  await page.goto(demo.shop);
  expect(complaints).toEqual([]);
  await page.evaluate(() => {
    document.body.append(Object.assign(document.createElement("p"), { innerHTML: "<span style='color:red'>x</span>" }));
    document.body.append(Object.assign(document.createElement("img"), { src: "/assets/nonesuch.png", alt: "" }));
    setTimeout(() => { throw new Error("on purpose"); });
  });
  await expect.poll(() => complaints.join("\n")).toMatch(/Content Security Policy/);
  await expect.poll(() => complaints.join("\n")).toMatch(/missing file: 404 .*nonesuch\.png/);
  await expect.poll(() => complaints.join("\n")).toMatch(/on purpose/);
  await context.close();
});
