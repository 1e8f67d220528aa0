// Sign in with Klarna, from the Web SDK's button on a Partner's page to what the page is told.

import AxeBuilder from "@axe-core/playwright";
import { Issuer, generators } from "openid-client";

import { shop, told } from "../partner.mjs";
import { expect } from "../watch.mjs";

const SCOPE = "openid offline_access customer:login profile:name profile:email";

/** The SDK's button on the Partner's page. */
const mountButton = (page, config = {}) =>
  page.evaluate(([scope, config]) => {
    const redirectUri = `${location.origin}/signed-in`;
    window.klarna.Identity.button({ scope, redirectUri, locale: "en-DE", market: "DE", ...config }).mount("#button");
  }, [SCOPE, config]);

const press = (page) => page.locator("#button").getByRole("button").click();

/** The shopper's way through the pages. */
async function signIn(window, who = "approved") {
  await window.getByTestId(`sample-${who}`).click();
  await window.getByTestId("continue").click();
  await window.getByTestId("fill-code").click();
  await expect(window.getByTestId("code")).toHaveValue("123456");
  await window.getByTestId("continue").click();
}

async function opened(page, shop) {
  await shop.open(page, { path: "/signed-in" });
  await shop.open(page);
}

const claims = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());

shop("in a window: the page is told who it is, and the checkout knows the shopper", async ({ page, shop, isMobile }) => {
  onDesktop(isMobile);
  await opened(page, shop);
  await mountButton(page);
  const [window] = await Promise.all([page.waitForEvent("popup"), press(page)]);
  await signIn(window);
  await expect(window.getByTestId("shared").getByRole("listitem")).toHaveText([/it is you/, "name", "e-mail"]);
  await Promise.all([window.waitForEvent("close"), window.getByTestId("share").click()]);
  await expect.poll(() => told(page, "identity:signin")).toHaveLength(1);
  const [[signedIn]] = await told(page, "identity:signin");
  expect(signedIn).toMatchObject({ tokenType: "Bearer", expiresIn: 299, scope: SCOPE });
  expect(claims(signedIn.idToken)).toMatchObject({ given_name: "Test", family_name: "Person-de", email: "customer@email.de", email_verified: true });
  expect(await told(page, "tokenupdate")).toHaveLength(1);
  const shown = await page.evaluate(() => window.klarna.Payment.presentation({ amount: 12990, currency: "EUR", locale: "en-DE" }));
  expect(shown.instruction).toBe("PRESELECT_KLARNA");
});

shop("in place of the page: back at the redirectUri with a clean address", async ({ page, shop }) => {
  await opened(page, shop);
  await mountButton(page, { interactionMode: "REDIRECT" });
  await press(page);
  await page.waitForURL(/\/sign-in\/[0-9a-f-]{36}\/contact$/);
  await signIn(page);
  await page.getByTestId("share").click();
  await page.waitForURL(`${shop.origin}/signed-in**`);
  await expect.poll(() => told(page, "identity:signin")).toHaveLength(1);
  expect(page.url()).toBe(`${shop.origin}/signed-in`);
  const [[signedIn]] = await told(page, "identity:signin");
  expect(signedIn.refreshToken).toBeTruthy();
});

shop("a server's client is given the code and no token", async ({ page, shop }) => {
  await opened(page, shop);
  await mountButton(page, { interactionMode: "REDIRECT", clientType: "CONFIDENTIAL" });
  await press(page);
  await signIn(page);
  await page.getByTestId("share").click();
  await page.waitForURL(`${shop.origin}/signed-in**`);
  await expect.poll(() => told(page, "identity:signin")).toHaveLength(1);
  const [[signedIn]] = await told(page, "identity:signin");
  expect(Object.keys(signedIn).sort()).toEqual(["code", "redirectUri", "state"]);
});

shop("a client library that knows nothing of Klarna does the whole flow", async ({ page, shop, demo }) => {
  shop.put("/signed-in", "<!doctype html><title>Signed in</title>");
  const redirect = `${shop.origin}/signed-in`;
  const issuer = await Issuer.discover(`${demo.network}/eu/lp/idp`);
  const client = new issuer.Client({ client_id: demo.clientId, redirect_uris: [redirect], response_types: ["code"], token_endpoint_auth_method: "none" });
  const checks = { code_verifier: generators.codeVerifier(), state: generators.state(), nonce: generators.nonce() };
  const { code_verifier, ...sent } = checks;
  await page.goto(
    client.authorizationUrl({ scope: SCOPE, code_challenge: generators.codeChallenge(code_verifier), code_challenge_method: "S256", ...sent }),
  );
  await signIn(page);
  await page.getByTestId("share").click();
  await page.waitForURL(`${redirect}?**`);
  const answer = client.callbackParams(page.url());
  // Discovery says that the answer names its issuer: the library checks that, the state, the nonce, the signature and the hash.
  const tokens = await client.callback(redirect, answer, checks);
  expect(tokens.claims()).toMatchObject({ iss: issuer.issuer, aud: demo.clientId, given_name: "Test", email: "customer@email.de" });
  expect(await client.userinfo(tokens)).toMatchObject({ sub: tokens.claims().sub, email_verified: true });
  const again = await client.refresh(tokens);
  expect(again.claims().sub).toBe(tokens.claims().sub);
  await expect(client.refresh(tokens)).rejects.toMatchObject({ error: "invalid_grant" });
  await expect(client.userinfo(again)).rejects.toMatchObject({ error: "invalid_token" });
  await expect(client.callback(redirect, answer, checks)).rejects.toMatchObject({ error: "invalid_grant" });
});

shop("whoever cancels, or closes the window, shares nothing", async ({ page, shop, isMobile }) => {
  await opened(page, shop);
  await mountButton(page, { interactionMode: "REDIRECT" });
  await press(page);
  await page.getByTestId("leave").click();
  await expect.poll(() => told(page, "identity:error")).toHaveLength(1);
  expect((await told(page, "identity:error"))[0][0]).toMatchObject({ errorCode: "ACCESS_DENIED" });
  onDesktop(isMobile);
  await shop.open(page);
  await mountButton(page);
  const [window] = await Promise.all([page.waitForEvent("popup"), press(page)]);
  await window.getByTestId("contact").waitFor();
  await window.close();
  await expect.poll(() => told(page, "identity:error")).toHaveLength(1);
});

shop("an address that is not the client's goes nowhere, and a foreign state is refused", async ({ page, shop, demo, complaints }) => {
  await page.goto(`${demo.network}/eu/lp/idp/oauth2/auth?client_id=${demo.clientId}&redirect_uri=ftp://x&response_type=code&scope=openid`);
  await expect(page.getByTestId("end")).toHaveAttribute("data-end", "wrong");
  await expect(page.getByTestId("reason")).toContainText("redirect_uri must use https");
  await shop.open(page, { path: "/signed-in" });
  await page.goto(`${shop.origin}/signed-in?code=stolen&state=foreign`);
  await expect.poll(() => told(page, "identity:error")).toHaveLength(1);
  expect(complaints.splice(0).join()).toContain("state is unknown");
});

shop("every page of it is accessible and fits a narrow phone", async ({ page, shop, demo }) => {
  await page.setViewportSize({ width: 320, height: 640 });
  const start = `${demo.network}/eu/lp/idp/oauth2/auth?client_id=${demo.clientId}&redirect_uri=${shop.origin}/signed-in&response_type=code&scope=openid%20profile&market=DE`;
  const check = async (name) => {
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), name).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth), name).toBeLessThanOrEqual(320);
  };
  await page.goto(start);
  await check("contact");
  await page.getByTestId("contact").fill(`new-${Date.now()}-${Math.random()}@people.example`);
  await page.getByTestId("continue").click();
  await check("code");
  await page.getByTestId("code").fill("123456");
  await page.getByTestId("continue").click();
  await check("details");
  await page.getByTestId("continue").click();
  await expect(page.getByTestId("error-summary").getByRole("link")).toHaveCount(6);
  await page.getByTestId("error-summary").getByRole("link").first().click();
  await expect(page.getByTestId("given_name")).toBeFocused();
  await check("details with faults");
  await page.getByTestId("fill-details").click();
  await page.getByTestId("continue").click();
  await check("consent");
  await page.goto(start.replace("openid%20profile", "profile"));
  await page.waitForURL(/error=invalid_scope/);
});

/** Windows beside the page are for desktops. */
function onDesktop(isMobile) {
  shop.skip(Boolean(isMobile), "phones have no windows");
}
