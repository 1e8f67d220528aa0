// The demonstration: a small checkout that does with the SDK what a Partner's page does.

/** @type {typeof import("./klarna.mjs")} */
const sdk = await import(/** @type {any} */ ("/web-sdk/v2/klarna.mjs"));

/** @param {string} id */
const at = (id) => /** @type {any} */ (document.getElementById(id));
const { clientId, paymentAccountId } = at("main").dataset;
const purchase = /** @type {HTMLFormElement} */ (at("purchase"));
const asked = () => Object.fromEntries(new FormData(purchase));

/**
 * @param {string} name
 * @param {unknown} what
 */
function tell(name, what) {
  at("nothing").hidden = true;
  const line = document.createElement("li");
  const [title, detail] = [document.createElement("strong"), document.createElement("code")];
  [title.textContent, detail.textContent] = [`${name} `, JSON.stringify(what).slice(0, 300)];
  line.append(title, detail);
  at("events").prepend(line);
}

const klarna = await sdk.KlarnaSDK({ clientId, acquiringConfig: { paymentAccountId }, locale: String(asked().locale) });
const { Identity, Payment, Messaging } = klarna;
Payment.on("complete", (/** @type {any} */ request) => {
  tell("complete", { paymentRequestId: request.paymentRequestId, state: request.state, shipping: request.stateContext.shipping });
  return false;
});
Payment.on("abort", (/** @type {any} */ request) => tell("abort", { state: request.state, stateReason: request.stateReason }));
Payment.on("error", (/** @type {any} */ error) => tell("error", { errorCode: error.errorCode, errorMessage: error.errorMessage }));

Identity.on("signin", async (/** @type {any} */ { idToken }) => {
  const claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(idToken.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0))));
  tell("signin", { name: `${claims.given_name} ${claims.family_name}`, email: claims.email, sub: claims.sub });
  await present();
});
Identity.on("error", (/** @type {any} */ error) => tell("error", { errorCode: error.errorCode, errorMessage: error.errorMessage }));

// Express: where this shop ships to, and for how much.
const HOME = { shippingOptionReference: "home", displayName: "To your door", amount: 490, shippingType: "TO_DOOR" };
const BOX = { shippingOptionReference: "box", displayName: "To a parcel box", amount: 290, shippingType: "PICKUP_BOX" };
const goods = () => Number(asked().amount);
Payment.on("shippingaddresschange", (/** @type {any} */ _, /** @type {any} */ address) => {
  tell("shippingaddresschange", address);
  if (!["DE", "SE"].includes(address.country)) return { rejectionReason: Payment.ShippingRejectionReason.COUNTRY_NOT_SUPPORTED };
  return { shippingOptions: [HOME, BOX], selectedShippingOptionReference: "home", amount: goods() + HOME.amount };
});
Payment.on("shippingoptionselect", (/** @type {any} */ _, /** @type {any} */ option) => {
  tell("shippingoptionselect", option);
  const chosen = [HOME, BOX].find((each) => each.shippingOptionReference === option.shippingOptionReference);
  return chosen ? { amount: goods() + chosen.amount } : { rejectionReason: Payment.ShippingRejectionReason.INVALID_OPTION };
});

/** @param {object} [more] */
const order = (more) => async () => ({
  currency: String(asked().currency),
  amount: goods(),
  paymentRequestReference: `try-${Date.now()}`,
  customerInteractionConfig: { returnUrl: location.href.split("#")[0] },
  ...more,
});

/** @type {{ unmount: () => unknown }[]} */
let shown = [];
/** Of several changes in a row the last one is shown. */
let latest = 0;
async function present() {
  const mine = ++latest;
  document.documentElement.dataset.ready = "false";
  const { amount, currency, locale, mode } = asked();
  const presentation = await Payment.presentation({ amount: Number(amount), currency: String(currency), locale: String(locale), intents: ["PAY"] });
  if (mine !== latest) return;
  for (const part of shown) part.unmount();
  shown = [];
  at("instruction").textContent = presentation.instruction;
  const option = presentation.savedPaymentOption ?? presentation.paymentOption;
  for (const name of option ? ["icon", "header", "subheader", "badge", "message", "terms"] : []) {
    const part = option?.[name]?.component?.({ shape: "badge" });
    if (part) shown.push(part.mount(at(name)));
  }
  const config = { initiate: order(), initiationMode: String(mode) };
  if (option) shown.push(option.paymentButton.component({ ...config, id: "pay-button" }).mount(at("pay")));
  const shippingConfig = { mode: "EDITABLE", supportedCountries: ["DE", "SE", "FR"] };
  const express = { initiate: order({ shippingConfig }), initiationMode: "ON_PAGE", id: "express-button", locale: String(locale) };
  shown.push(Payment.button({ ...express, theme: "auto" }).mount(at("express")));
  for (const placement of messages) placement.update({ amount: Number(amount), locale: String(locale) });
  document.documentElement.dataset.ready = "true";
}

/** @type {[string, object][]} */
const LOOKS = [
  ["theme: default", {}],
  ["theme: light", { theme: "light" }],
  ["theme: outlined, shape: pill", { theme: "auto", shape: "pill" }],
  ["theme: dark, shape: rect", { theme: "dark", shape: "rect" }],
  ["logoAlignment: left", { logoAlignment: "left" }],
  ["intent: SUBSCRIBE", { intents: ["SUBSCRIBE"] }],
  ["disabled", { disabled: true }],
  ["loading", { loading: true }],
];
for (const [name, look] of LOOKS) {
  const [figure, caption] = [document.createElement("figure"), document.createElement("figcaption")];
  caption.textContent = name;
  if (name.includes("light")) figure.dataset.on = "dark";
  at("buttons").append(figure);
  Payment.button({ initiate: order(), initiationMode: "POPUP", ...look }).mount(figure);
  figure.append(caption);
}

const KEYS = ["top-strip-promotion-auto-size", "credit-promotion-badge", "credit-promotion-auto-size", "homepage-promotion-wide", "info-page"];
const dark = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "default";
const messages = KEYS.map((key) => Messaging.placement({ key, amount: goods(), locale: String(asked().locale), theme: dark }).mount(at("messages")));

Identity.button({ scope: "openid offline_access customer:login profile:name profile:email", redirectUri: location.href.split(/[?#]/)[0] }).mount(at("sign-in"));
if (/[?&](code|error)=/.test(location.search)) await Identity.handleRedirect();

purchase.addEventListener("change", present);
purchase.addEventListener("submit", (event) => event.preventDefault());
await present();
