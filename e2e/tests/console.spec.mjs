// The network end's own pages: every one of the console, the portal's and those around credentials, opened with something on it.

import { expectNothingSerious as check } from "../axe.mjs";
import { startFilled } from "../console.mjs";
import { startNetwork } from "../network.mjs";
import { expect, test as base } from "../watch.mjs";
import { expectHeading } from "../walk.mjs";

const test = base.extend({
  filled: [
    async ({}, use) => {
      const filled = await startFilled();
      await use(filled);
      await filled.stop();
    },
    { scope: "worker", timeout: 120_000 },
  ],
});

/** Opens every page that is found by its address alone, then those that a form or a link of its own leads to. */
async function eachPage(page, filled, look) {
  for (const [name, path] of Object.entries(filled.pages)) {
    await page.goto(filled.base + path);
    await expectHeading(page, /.+/);
    await look(name);
  }
  await page.goto(`${filled.base}/console/sign-in`);
  await page.getByLabel("API key of the Acquiring Partner").fill("klarna_test_api_wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("Nobody was signed in");
  await look("sign-in, refused");
  await page.goto(`${filled.base}/console/faults`);
  await page.getByLabel("Status", { exact: true }).fill("200");
  await page.getByRole("button", { name: "Make the rule" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await look("faults, refused");
  await page.goto(`${filled.base}/console/snapshots`);
  await page.getByLabel("Name", { exact: true }).fill("not a name");
  await page.getByRole("button", { name: "Keep a snapshot" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await look("snapshots, refused");
  await page.goto(await filled.link(["merchant:admin"]));
  await expect(page.getByTestId("roles")).toContainText("Administrator");
  await look("portal");
  await page.getByTestId("create-api-key").click();
  await expect(page.getByTestId("secret")).toBeVisible();
  await look("portal, with a new key");
  await page.getByTestId("create-client-identifier").click();
  await expectHeading(page, /.+/);
  await look("portal, with a client identifier");
  await page.getByTestId("sign-out").click();
  await expectHeading(page, "You are signed out");
  await look("portal, signed out");
}

for (const colorScheme of ["light", "dark"]) {
  test.describe(`in ${colorScheme} colours, nothing serious for axe`, () => {
    test.use({ colorScheme });

    test("every page of the console and the portal", async ({ page, filled }) => {
      test.setTimeout(240_000);
      await eachPage(page, filled, (name) => check(page, name));
    });
  });
}

test("every page fits on the narrowest screen", async ({ page, filled }) => {
  test.setTimeout(180_000);
  await page.setViewportSize({ width: 320, height: 640 });
  await eachPage(page, filled, async (name) => {
    const { width, cut } = await page.evaluate(() => {
      // What is wider than its box can be scrolled inside of it, or is shown in part on purpose.
      const scrolls = (element) => ["auto", "scroll", "hidden"].includes(getComputedStyle(element).overflowX);
      const reachable = (element) => element && (scrolls(element) || reachable(element.parentElement));
      const beyond = [...document.querySelectorAll("main *")].filter((element) => element.getClientRects().length > 0 && element.getBoundingClientRect().right > 321);
      return {
        width: document.documentElement.scrollWidth,
        cut: beyond.filter((element) => !reachable(element)).map((element) => element.outerHTML.slice(0, 120)),
      };
    });
    expect.soft(width, `${name} is wider than the screen`).toBeLessThanOrEqual(320);
    expect.soft(cut, `${name} is cut off`).toEqual([]);
  });
});

test("the first key is shown once, to whoever opens its link", async ({ page }) => {
  const network = await startNetwork(["--bootstrap-link-file", "{folder}/link"]);
  const link = (await network.read("link")).trim();
  await page.goto(link);
  await check(page, "bootstrap");
  await page.getByTestId("reveal").click();
  await expect(page.getByTestId("secret")).toContainText("klarna_test_api_");
  await check(page, "bootstrap, with the key");
  await page.goto(link);
  await expectHeading(page, "This link is over");
  await network.stop();
});

test("a refused call says which field, which rule and what would pass", async ({ page, filled }) => {
  await page.goto(filled.base + filled.pages["a refused request"]);
  await expect(page.getByRole("heading", { name: "Why it was refused" })).toBeVisible();
  const faults = page.getByRole("region", { name: "Fields at fault" });
  const row = faults.getByRole("row").filter({ hasText: "request_payment_transaction.amount" });
  await expect(row).toContainText("must be an integer of at least 1, was -1");
  await expect(faults.getByRole("row").filter({ hasText: "currency" }).first()).toContainText("a currency code of ISO 4217");
  await expect(page.locator(".said .fault").first()).toBeVisible();
});

test("the log goes on by itself, and never under the reader's eyes", async ({ page, filled }) => {
  const mark = `tail-${Date.now()}-${Math.floor(Math.random() * 1e6)}`;
  await page.goto(`${filled.base}/console/requests`);
  const call = () => fetch(`${filled.base}/v2/notification/${mark}`);
  await call();
  const offer = page.locator("[data-tail-offer]");
  await expect(offer).toContainText("new call");
  const shown = page.getByRole("region", { name: "Calls" }).getByRole("row").filter({ hasText: mark });
  await expect(shown).toHaveCount(0);
  await offer.click();
  await expect(shown).toHaveCount(1);
  await page.getByLabel("Follow new calls").check();
  await page.mouse.move(0, 0);
  await page.evaluate(() => document.activeElement.blur());
  await call();
  await expect(shown).toHaveCount(2);
});
