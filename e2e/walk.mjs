// The steps of a shopper, one function each. Every one ends where the next begins.

import { expect } from "./watch.mjs";

/** A lamp, and its way to Germany: in minor units. */
export const LAMP_DE = { basket: "market=DE&lamp=1", minor: 9_390, currency: "EUR" };

/** The checkout that works without script; other ways of building it by `way`. */
export const checkout = (demo, basket = LAMP_DE.basket, way = "server") => `${demo.shop}/checkout?${basket}&way=${way}`;

const heading = (page) => page.getByRole("heading", { level: 1 });

/** From the shop's checkout, by its server alone, to the first page of the journey. Returns the order's number. */
export async function pay(page, demo, { basket, email = "" } = LAMP_DE) {
  await page.goto(checkout(demo, basket));
  const order = await page.locator("#pay-form input[name=order]").inputValue();
  if (email) await page.getByTestId("email").fill(email);
  await page.getByRole("button", { name: "Pay with Klarna" }).click();
  await expect(page).toHaveURL(/\/requests\/[0-9a-f-]{36}\/contact$/);
  return order;
}

/** Says who is paying: `approved`, `denied` or `new` by the test shopper's button, anything else is typed. */
export async function identify(page, who = "approved") {
  if (["approved", "denied", "new"].includes(who)) {
    await page.getByTestId(`sample-${who}`).click();
    await expect(page.getByTestId("contact")).toHaveValue(/^customer/);
  } else {
    await page.getByTestId("contact").fill(who);
  }
  await page.getByTestId("continue").click();
  await expect(page.getByTestId("code")).toBeVisible();
}

export async function prove(page, code = "123456") {
  await page.getByTestId("code").fill(code);
  await page.getByTestId("continue").click();
  await expect(page).toHaveURL(/\/(plan|details)$/);
  if (page.url().endsWith("/details")) await openAccount(page);
  await expect(page).toHaveURL(/\/plan$/);
}

/** What somebody new is asked for, filled in by the button for testers. */
export async function openAccount(page) {
  await page.getByTestId("fill-details").click();
  await expect(page.getByTestId("given_name")).toHaveValue("Test");
  await page.getByTestId("continue").click();
}

export async function choose(page, plan = "pay_now") {
  await page.getByTestId(`plan-${plan}`).check();
  await page.getByTestId("continue").click();
  await expect(page).toHaveURL(/\/review$/);
}

/** The whole way up to the review page. */
export async function walkToReview(page, who = "approved", plan = "pay_now") {
  await identify(page, who);
  await prove(page);
  await choose(page, plan);
}

/** Waits for the shop's order page in a state; returns the payment's id. The page asks again by itself while it is pending. */
export async function backAtTheShop(page, demo, state) {
  await expect(page.getByTestId("state")).toHaveAttribute("data-state", state);
  expect(new URL(page.url()).origin).toBe(demo.shop);
  return page.getByTestId("payment-id").innerText();
}

/** What the desk says of the money, in minor units. */
export async function expectMoney(page, money) {
  for (const [name, minor] of Object.entries(money)) {
    await expect(page.getByTestId(name)).toHaveAttribute("data-minor", String(minor));
  }
}

export async function expectHeading(page, text) {
  await expect(heading(page)).toHaveText(text);
}
