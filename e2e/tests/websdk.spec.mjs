// The Web SDK on a Partner's page: a page of another origin, served here, with a strict content-security-policy.

import { shop, told } from "../partner.mjs";
import { expect, test } from "../watch.mjs";
import { choose, identify, prove } from "../walk.mjs";

/** A button that begins a payment, in a mode. */
const mountButton = (page, config = {}, data = {}) =>
  page.evaluate(
    ([config, data]) => {
      const initiate = async (params) => {
        window.told.push(["initiate", [params]]);
        return { currency: "EUR", amount: 4990, paymentRequestReference: "e2e", ...data };
      };
      window.button = window.klarna.Payment.button({ initiate, ...config }).mount("#button");
    },
    [config, data],
  );

/** The journey, to its end. */
async function approve(journey) {
  await identify(journey);
  await prove(journey);
  await choose(journey);
  await journey.getByTestId("confirm").click();
}

/** Only on a screen that opens windows beside the page. */
const onDesktop = (isMobile) => shop.skip(Boolean(isMobile), "phones go by redirect");

shop("a presentation is mounted, part by part, under a strict policy", async ({ page, shop }) => {
  await shop.open(page);
  const found = await page.evaluate(async () => {
    const { Payment } = window.klarna;
    const shown = await Payment.presentation({ amount: 12990, currency: "EUR", locale: "en-DE", intent: "PAY" });
    const { paymentOption: option } = shown;
    option.icon.component().mount("#icon").unmount().unmount().mount("#icon");
    option.header.component().mount(document.querySelector("#header"));
    option.message.component().mount("#message");
    window.button = option.paymentButton.component({ theme: "outlined", shape: "pill", initiate: () => ({}) }).mount("#button");
    return {
      instruction: shown.instruction,
      status: shown.paymentStatus,
      saved: shown.savedPaymentOption,
      flat: [shown.header.text, shown.subheader.short.text, typeof shown.subheader.enriched.component, shown.icon.badgeImageUrl],
      id: option.paymentOptionId,
    };
  });
  expect(found).toMatchObject({ instruction: "SHOW_KLARNA", status: "REQUIRES_CUSTOMER_ACTION", flat: ["Klarna", expect.any(String), "function", expect.stringMatching(/badge/)] });
  expect(found.saved).toBeUndefined();
  await expect(page.locator("#header")).toContainText("Klarna");
  await expect(page.locator("#icon img")).toHaveAttribute("alt", "Klarna");
  await expect(page.locator("#message a")).toHaveAttribute("target", "_blank");
  const button = page.locator("#button").getByRole("button", { name: "Klarna" });
  await expect(button).toHaveCSS("border-radius", "999px");
  await page.evaluate(() => window.button.toggleState("loading"));
  await expect(button).toHaveAttribute("aria-busy", "true");
  await page.evaluate(() => window.button.toggleState("loading", false).toggleState("disabled", true));
  await expect(button).toHaveAttribute("aria-disabled", "true");
});

shop("a payment in a window completes, and the page goes to its returnUrl", async ({ page, shop, isMobile }) => {
  onDesktop(isMobile);
  await shop.open(page);
  await mountButton(page, { initiationMode: "DEVICE_BEST" }, { customerInteractionConfig: { returnUrl: `${shop.origin}/thanks?state={klarna.payment_request.state}` } });
  await page.evaluate(() => {
    window.answers = { complete: async (request) => { sessionStorage.setItem("completed", JSON.stringify(request)); return true; } };
  });
  const [journey] = await Promise.all([page.waitForEvent("popup"), page.locator("#button").getByRole("button").click()]);
  await expect(page.locator("network-curtain")).toContainText("Continue in the payment window");
  const [[params]] = await told(page, "initiate");
  expect(params.klarnaNetworkSessionToken).toMatch(/^krn:network:/);
  await approve(journey);
  await page.waitForURL(`${shop.origin}/thanks?state=COMPLETED`);
  const request = JSON.parse(await page.evaluate(() => sessionStorage.getItem("completed")));
  expect(request).toMatchObject({ state: "COMPLETED", previousState: "IN_PROGRESS", amount: 4990 });
  const { stateContext: context } = request;
  expect(context.klarnaNetworkSessionToken).toMatch(/^krn:network:/);
  expect(context.klarna_network_session_token).toBe(context.klarnaNetworkSessionToken);
  expect(context.interoperabilityToken).toBe(context.klarnaNetworkSessionToken);
  expect(context.paymentToken).toMatch(/payment-token/);
  expect(journey.isClosed()).toBe(true);
});

shop("a handler that answers false keeps the page, and the session has the new token", async ({ page, shop, isMobile }) => {
  onDesktop(isMobile);
  await shop.open(page);
  await mountButton(page, { initiationMode: "POPUP" }, { customerInteractionConfig: { returnUrl: `${shop.origin}/thanks` } });
  await page.evaluate(() => (window.answers = { complete: () => false }));
  const [journey] = await Promise.all([page.waitForEvent("popup"), page.locator("#button").getByRole("button").click()]);
  await approve(journey);
  await expect.poll(() => told(page, "complete")).toHaveLength(1);
  expect(page.url()).toBe(`${shop.origin}/checkout`);
  await expect(page.locator("network-curtain")).toHaveCount(0);
  const [[token]] = await told(page, "tokenupdate");
  expect(await page.evaluate(() => window.klarna.Interoperability.token())).toBe(token);
  expect(await told(page, "older")).toEqual([[token, token]]);
  const after = await page.evaluate(() => window.klarna.Payment.presentation({ amount: 4990, currency: "EUR", locale: "en-DE" }));
  expect(after).toMatchObject({ instruction: "SHOW_ONLY_KLARNA", paymentStatus: "PENDING_PARTNER_AUTHORIZATION" });
});

shop("a payment by redirect is told once, on the page that it comes back to", async ({ page, shop }) => {
  await shop.open(page);
  await mountButton(page, { initiationMode: "REDIRECT" });
  await page.locator("#button").getByRole("button").click();
  await page.waitForURL(/\/requests\/.*\/contact$/);
  await approve(page);
  await page.waitForURL(`${shop.origin}/checkout`);
  await expect.poll(() => told(page, "complete")).toHaveLength(1);
  expect((await told(page, "complete"))[0][0]).toMatchObject({ state: "COMPLETED" });
  await page.reload();
  await page.waitForFunction(() => window.ready);
  await page.waitForTimeout(300);
  expect(await told(page, "complete")).toEqual([]);
});

shop("of a page's instances, the one that listens is told what the redirect brought", async ({ page, shop }) => {
  await shop.open(page, { twice: true });
  await mountButton(page, { initiationMode: "REDIRECT" });
  await page.locator("#button").getByRole("button").click();
  await page.waitForURL(/\/requests\/.*\/contact$/);
  await approve(page);
  await page.waitForURL(`${shop.origin}/checkout`);
  await expect.poll(() => told(page, "complete")).toHaveLength(1);
});

shop("a shopper who leaves by redirect comes back to an abort", async ({ page, shop }) => {
  await shop.open(page);
  await mountButton(page, { initiationMode: "REDIRECT" });
  await page.locator("#button").getByRole("button").click();
  await page.waitForURL(/\/requests\/.*\/contact$/);
  await page.getByTestId("leave").click();
  await page.waitForURL(`${shop.origin}/checkout`);
  await expect.poll(() => told(page, "abort")).toHaveLength(1);
  expect((await told(page, "abort"))[0][0]).toMatchObject({ state: "SUBMITTED", stateReason: "PURCHASE_FLOW_ABORTED" });
});

shop("a closed window is an abort, and the page can cancel", async ({ page, shop, isMobile }) => {
  onDesktop(isMobile);
  await shop.open(page);
  await mountButton(page, { initiationMode: "POPUP" });
  const [journey] = await Promise.all([page.waitForEvent("popup"), page.locator("#button").getByRole("button").click()]);
  await journey.waitForURL(/\/contact$/);
  await page.waitForTimeout(1_600);
  await journey.close();
  await expect.poll(() => told(page, "abort")).toHaveLength(1);
  const [[request]] = await told(page, "abort");
  expect(request).toMatchObject({ state: "SUBMITTED", stateReason: "PURCHASE_FLOW_ABORTED" });
  const canceled = await page.evaluate((id) => window.klarna.Payment.cancel(id), request.paymentRequestId);
  expect(canceled.state).toBe("CANCELED");
  expect((await page.evaluate((id) => window.klarna.Payment.fetch(id), request.paymentRequestId)).state).toBe("CANCELED");
});

shop("the curtain's way out is an abort, by keyboard too", async ({ page, shop, isMobile }) => {
  onDesktop(isMobile);
  await shop.open(page);
  await mountButton(page, { initiationMode: "POPUP" });
  const [journey] = await Promise.all([page.waitForEvent("popup"), page.locator("#button").getByRole("button").click()]);
  await journey.waitForURL(/\/contact$/);
  await page.getByTestId("curtain-cancel").click();
  await expect.poll(() => told(page, "abort")).toHaveLength(1);
  await expect.poll(() => journey.isClosed()).toBe(true);
});

shop.describe("with windows blocked", () => {
  shop.beforeEach(async ({ page }) => {
    await page.addInitScript(() => {
      const open = window.open.bind(window);
      window.blocks = 1;
      window.open = (...args) => (window.blocks-- > 0 ? null : open(...args));
    });
  });

  shop("ON_PAGE goes on in a frame", async ({ page, shop, isMobile, complaints }) => {
    onDesktop(isMobile);
    await shop.open(page);
    await mountButton(page, { initiationMode: "ON_PAGE" });
    await page.evaluate(() => (window.answers = { complete: () => false }));
    await page.locator("#button").getByRole("button").click();
    const frame = page.frameLocator("network-curtain iframe");
    await frame.getByTestId("sample-approved").click();
    await expect(frame.getByTestId("contact")).toHaveValue(/^customer/);
    await frame.getByTestId("continue").click();
    await frame.getByTestId("code").fill("123456");
    await frame.getByTestId("continue").click();
    await frame.getByTestId("plan-pay_now").check();
    await frame.getByTestId("continue").click();
    await frame.getByTestId("confirm").click();
    await expect.poll(() => told(page, "complete")).toHaveLength(1);
    await expect(page.locator("network-curtain")).toHaveCount(0);
    expect(complaints.splice(0).join()).toContain("blocked the payment window");
  });

  shop("POPUP asks for another press", async ({ page, shop, isMobile, complaints }) => {
    onDesktop(isMobile);
    await shop.open(page);
    await mountButton(page, { initiationMode: "POPUP" });
    await page.locator("#button").getByRole("button").click();
    await expect(page.locator("network-curtain")).toContainText("blocked the payment window");
    const [journey] = await Promise.all([page.waitForEvent("popup"), page.getByTestId("curtain-continue").click()]);
    await journey.waitForURL(/\/contact$/);
    await page.getByTestId("curtain-cancel").click();
    await expect.poll(() => told(page, "abort")).toHaveLength(1);
    expect(complaints.splice(0).join()).toContain("blocked the payment window");
  });

  shop("DEVICE_BEST goes by redirect", async ({ page, shop, isMobile, complaints }) => {
    onDesktop(isMobile);
    await shop.open(page);
    await mountButton(page);
    await page.locator("#button").getByRole("button").click();
    await page.waitForURL(/\/requests\/.*\/contact$/);
    await page.getByTestId("leave").click();
    await expect.poll(() => told(page, "abort")).toHaveLength(1);
    expect(complaints.splice(0).join()).toContain("blocked the payment window");
  });
});

shop("express asks the page where it ships to and for how much", async ({ page, shop, isMobile }) => {
  onDesktop(isMobile);
  await shop.open(page);
  await page.evaluate(() => {
    const { Payment } = window.klarna;
    const option = (shippingOptionReference, amount) => ({ shippingOptionReference, amount, displayName: shippingOptionReference });
    window.answers = { complete: () => false };
    Payment.onShippingAddressChange((request, address) => {
      window.told.push(["address", [address]]);
      if (address.country !== "DE") return { rejectionReason: Payment.ShippingRejectionReason.COUNTRY_NOT_SUPPORTED };
      return { shippingOptions: [option("home", 490), option("box", 290)], amount: 5480 };
    });
    Payment.on("shippingoptionselect", (request, { shippingOptionReference }) => {
      window.told.push(["option", [shippingOptionReference]]);
      return { amount: shippingOptionReference === "box" ? 5280 : 5480 };
    });
  });
  await mountButton(page, { initiationMode: "ON_PAGE" }, { shippingConfig: { mode: "EDITABLE", supportedCountries: ["DE", "SE"] }, collectCustomerProfile: ["profile:email"] });
  const [journey] = await Promise.all([page.waitForEvent("popup"), page.locator("#button").getByRole("button").click()]);
  await identify(journey);
  await journey.getByTestId("code").fill("123456");
  await journey.getByTestId("continue").click();
  for (const [name, text] of Object.entries({ street_address: "Main 1", postal_code: "11152", city: "Stockholm" })) await journey.getByTestId(name).fill(text);
  await journey.getByTestId("country").selectOption("SE");
  await journey.getByTestId("continue").click();
  await expect(journey.getByTestId("error-summary")).toContainText("does not ship to this address");
  await journey.getByTestId("country").selectOption("DE");
  await journey.getByTestId("continue").click();
  await journey.getByTestId("option-box").check();
  await journey.getByTestId("continue").click();
  await expect(journey).toHaveURL(/\/plan$/);
  await expect(journey.getByTestId("amount")).toHaveAttribute("data-minor", "5280");
  await choose(journey);
  await journey.getByTestId("confirm").click();
  await expect.poll(() => told(page, "complete")).toHaveLength(1);
  const [[request]] = await told(page, "complete");
  expect(request).toMatchObject({ amount: 5280, stateContext: { shipping: { address: { streetAddress: "Main 1", country: "DE" }, shippingOption: { shippingOptionReference: "box" } } } });
  expect((await told(page, "address"))[0][0]).toEqual({ country: "SE", postalCode: "11152", city: "Stockholm" });
  expect(await told(page, "option")).toEqual([["box"]]);
});

shop("what initiate returns wrongly is an error event, and nothing is thrown", async ({ page, shop, demo, isMobile, complaints }) => {
  onDesktop(isMobile);
  await shop.open(page);
  for (const answer of [{}, { paymentRequestUrl: "https://short.example/x" }, { paymentRequestUrl: `${demo.network}/l/abcdefgh` }]) {
    await page.evaluate((answer) => {
      document.querySelector("#other").replaceChildren();
      window.klarna.Payment.button({ initiate: () => answer, initiationMode: "POPUP" }).mount("#other");
    }, answer);
    await page.locator("#other").getByRole("button").click();
    await expect(page.locator("network-curtain")).toHaveCount(0);
  }
  await expect.poll(() => told(page, "error")).toHaveLength(3);
  const errors = (await told(page, "error")).map(([error]) => error);
  expect(errors.map(({ errorCode }) => errorCode)).toEqual(["INVALID_CALLBACK_RESPONSE", "VALIDATION_ERROR", "VALIDATION_ERROR"]);
  expect(errors[1].errorMessage).toContain("cannot extract access token or region");
  expect(complaints.splice(0).join()).toContain("The payment did not begin");
});

shop("a presentation that fails is an error, loudly, and nothing in its place", async ({ page, shop, complaints }) => {
  await shop.open(page);
  const thrown = await page.evaluate(() => window.klarna.Payment.presentation({ amount: 0, currency: "EURO" }).then(() => "shown", (error) => ({ ...error, isError: error instanceof window.klarna.KlarnaError })));
  expect(thrown).toMatchObject({ errorType: "INPUT_ERROR", errorCode: "VALIDATION_ERROR", isError: true });
  expect(thrown.validationErrors.map(({ parameter }) => parameter)).toContain("currency");
  expect(complaints.splice(0).join()).toContain("presentation() failed");
});

shop("a client id that may not be used here is refused, loudly", async ({ page, shop, demo, complaints }) => {
  await shop.open(page, { clientId: demo.elsewhereClientId });
  const [[refused]] = await told(page, "refused");
  expect(refused).toMatchObject({ errorType: "ACCESS_ERROR", errorCode: "OPERATION_FORBIDDEN" });
  expect(refused.errorMessage).toContain(shop.origin);
  expect(complaints.splice(0).join()).toContain("allowed_domains");
  await shop.open(page, { clientId: "klarna_test_client_unknown", path: "/other" });
  expect((await told(page, "refused"))[0][0].errorType).toBe("ACCESS_ERROR");
  expect(complaints.splice(0).join()).toContain("This page gets no SDK");
});

shop("the classic script calls back and fills placements", async ({ page, shop, demo }) => {
  shop.put("/classic.js", "window.KlarnaSDKCallback = (klarna) => { window.called = Object.keys(klarna); };", { "content-type": "text/javascript" });
  const classic = (generation) => `<!doctype html><html lang="en"><title>Product</title>
    <klarna-placement data-key="credit-promotion-badge" data-locale="en-GB" data-purchase-amount="12990"></klarna-placement>
    <div id="here"></div><script src="/classic.js"></script>
    <script src="${demo.network}/web-sdk/${generation}/klarna.js" data-client-id="${demo.clientId}" data-environment="playground" data-locale="en-GB" async></script>`;
  for (const generation of ["v1", "v2"]) {
    shop.put(`/${generation}`, classic(generation));
    await page.goto(`${shop.origin}/${generation}`);
    await expect.poll(() => page.evaluate(() => window.called)).toContain("Payment");
    const placement = page.locator("klarna-placement");
    await expect(placement).toContainText("Pay in 3");
    await page.evaluate(() => (document.querySelector("klarna-placement").dataset.purchaseAmount = "3000"));
    await expect(placement).toContainText("£10.");
    await page.evaluate(() => {
      window.placement = window.Klarna.Messaging.placement({ key: "credit-promotion-auto-size", amount: 12990, locale: "en-GB" }).mount("#here");
      window.Klarna.OnsiteMessaging.refresh();
    });
    await expect(page.locator("#here")).toContainText("Pay in 3");
    await page.evaluate(() => window.placement.update({ amount: 3000, theme: "dark" }));
    await expect(page.locator("#here")).toContainText("£10.");
  }
  await page.goto(`${shop.origin}/v1`);
  const first = await page.evaluate(async () => {
    const klarna = await window.Klarna.init({ clientId: document.querySelector("[data-client-id]").dataset.clientId, locale: "en-GB" });
    const request = klarna.Payment.request({ currency: "GBP", paymentAmount: 4990 });
    const resolved = await klarna.Interoperability.resolve({ merchantReference: "m-1" }, { country: "GB", currency: "GBP", paymentAmount: 4990 });
    return { state: request.state, can: await klarna.Payment.canMakePayment({ currency: "GBP", paymentAmount: 4990 }), resolved };
  });
  expect(first).toMatchObject({ state: "CREATED", can: true, resolved: { status: "PAYMENT_SUPPORTED" } });
});

test("the page to try it on shows all of it and pays", async ({ page, demo, isMobile }) => {
  await page.goto(`${demo.network}/websdk/try`);
  await expect(page.locator("html")).toHaveAttribute("data-ready", "true");
  await expect(page.locator("#instruction")).toHaveText("SHOW_KLARNA");
  await expect(page.locator("#buttons").getByRole("button")).toHaveCount(8);
  await expect(page.locator("#messages network-placement").first()).toContainText(/\w/);
  test.skip(Boolean(isMobile), "phones go by redirect");
  await page.locator("#mode").selectOption("POPUP");
  await expect(page.locator("html")).toHaveAttribute("data-ready", "true");
  const [journey] = await Promise.all([page.waitForEvent("popup"), page.getByTestId("pay").getByRole("button").click()]);
  await approve(journey);
  await expect(page.locator("#events")).toContainText("complete");
});
