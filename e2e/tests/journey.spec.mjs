// The purchase journey for people who are new, known or in a hurry, in every language that it speaks.

import AxeBuilder from "@axe-core/playwright";

import { shop, told } from "../partner.mjs";
import { expect, test } from "../watch.mjs";
import { backAtTheShop, checkout, choose, identify, openAccount, pay, prove } from "../walk.mjs";

const someone = () => `someone-${Date.now()}-${Math.random().toString(36).slice(2)}@people.example`;

test("whoever is new opens an account, and is led to each field that is missing", async ({ page, demo }) => {
  const contact = someone();
  await pay(page, demo);
  await identify(page, contact);
  await page.getByTestId("fill-code").click();
  await page.getByTestId("continue").click();
  await expect(page).toHaveURL(/\/details$/);
  await page.getByTestId("given_name").fill("Ada");
  await page.getByTestId("continue").click();
  const summary = page.getByTestId("error-summary");
  await expect(summary).toBeFocused();
  await expect(summary.getByRole("link")).toHaveCount(5);
  await summary.getByRole("link", { name: "City" }).click();
  await expect(page.getByTestId("city")).toBeFocused();
  await expect(page.getByTestId("city")).toHaveAccessibleDescription(/City/);
  await expect(page.getByTestId("given_name")).toHaveValue("Ada");
  await openAccount(page);
  await choose(page);
  await page.getByTestId("confirm").click();
  await backAtTheShop(page, demo, "AUTHORIZED");
  // The second time there is nothing to open.
  await pay(page, demo);
  await identify(page, contact);
  await page.getByTestId("code").fill("123456");
  await page.getByTestId("continue").click();
  await expect(page).toHaveURL(/\/plan$/);
});

test("a browser that is remembered goes straight to the ways to pay, until it is somebody else's", async ({ page, demo }) => {
  await pay(page, demo);
  await identify(page);
  await page.getByTestId("remember").check();
  await prove(page);
  await page.getByTestId("leave").click();
  await page.goto(checkout(demo));
  await page.getByRole("button", { name: "Pay with Klarna" }).click();
  await expect(page).toHaveURL(/\/plan$/);
  await expect(page.getByTestId("account")).toHaveText("c•••@email.de");
  await page.getByTestId("not-you").click();
  await expect(page).toHaveURL(/\/contact$/);
  await page.reload();
  await expect(page.getByTestId("contact")).toHaveValue("");
});

test("a developer clicks through in ten seconds, by keyboard alone", async ({ page, demo, isMobile }) => {
  test.skip(Boolean(isMobile), "phones have no keyboard");
  await pay(page, demo);
  const began = Date.now();
  const press = async (id, key = "Enter") => {
    await page.getByTestId(id).focus();
    await page.keyboard.press(key);
  };
  await press("sample-approved");
  await press("contact");
  await expect(page).toHaveURL(/\/code$/);
  await press("fill-code");
  await press("code");
  await expect(page).toHaveURL(/\/plan$/);
  await press("plan-pay_now", "Space");
  await press("plan-pay_now");
  await expect(page).toHaveURL(/\/review$/);
  await press("confirm");
  await backAtTheShop(page, demo, "AUTHORIZED");
  expect(Date.now() - began).toBeLessThan(10_000);
});

for (const [locale, words] of Object.entries({
  "en-GB": "How would you like to pay?",
  "de-DE": "Wie möchten Sie bezahlen?",
  "sv-SE": "Hur vill du betala?",
  "fr-FR": "Comment souhaitez-vous payer ?",
  "es-ES": "¿Cómo quiere pagar?",
})) {
  test.describe(locale, () => {
    test.use({ locale });
    test("reads well at 320 pixels, and by a screen reader", async ({ page, demo }) => {
      await page.setViewportSize({ width: 320, height: 640 });
      const check = async (name) => {
        const { violations } = await new AxeBuilder({ page }).analyze();
        expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), name).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth), name).toBeLessThanOrEqual(320);
        await expect(page.locator("html")).toHaveAttribute("lang", locale.slice(0, 2));
      };
      await page.goto(checkout(demo));
      await page.locator("#pay-form button[type=submit]").first().click();
      await expect(page).toHaveURL(/\/contact$/);
      await check("contact");
      await page.getByTestId("contact").fill(someone());
      await page.getByTestId("continue").click();
      await check("code");
      await page.getByTestId("code").fill("123456");
      await page.getByTestId("continue").click();
      await check("details");
      await page.getByTestId("continue").click();
      await check("details with faults");
      await openAccount(page);
      await expect(page.getByRole("heading", { level: 1 })).toHaveText(words);
      await check("plan");
      await choose(page, "pay_in_3");
      await check("review");
    });
  });
}

shop("the messages on a page are those of the API", async ({ page, shop, demo }) => {
  await shop.open(page);
  for (const key of ["credit-promotion-auto-size", "credit-promotion-badge", "top-strip-promotion-auto-size"]) {
    const said = await page.evaluate(
      async ([network, clientId, key]) => {
        window.placement?.unmount();
        window.placement = window.klarna.Messaging.placement({ key, amount: 12990, locale: "en-GB" }).mount("#other");
        const answer = await fetch(`${network}/websdk/messaging/${key}?client_id=${clientId}&amount=12990&locale=en-GB`);
        return (await answer.json()).message.parts.map(({ text }) => text.trim());
      },
      [demo.network, demo.clientId, key],
    );
    expect(said.length).toBeGreaterThan(0);
    for (const text of said) await expect(page.locator("#other"), key).toContainText(text);
  }
  expect(await told(page, "error")).toEqual([]);
});
