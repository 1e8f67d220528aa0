// What the shop's pages do with the Web SDK: messages on things and cart, the express button, and Klarna in the checkout. The script
// comes from where the server says; what anything costs is asked of the server, which is not talked into another price here.

/** @typedef {Record<string, any>} Json */

const told = JSON.parse(document.getElementById("told")?.textContent ?? "{}");

/** @param {string} id */
const at = (id) => document.getElementById(id);

/**
 * Asks the shop's server.
 * @param {string} path
 * @param {Json} body
 * @returns {Promise<Json>}
 */
async function ask(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.title ? `${said.title}. ${said.text}` : `The shop answered ${answer.status}.`);
  return said;
}

/**
 * @param {HTMLElement | null} place
 * @param {string} text Nothing hides it.
 */
function say(place, text) {
  if (!place) return;
  place.textContent = text;
  place.hidden = !text;
}

/** @param {Json} klarna */
function promote({ Messaging }) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  for (const place of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-placement]"))) {
    const { placement: key, amount } = place.dataset;
    Messaging.placement({ key, amount: Number(amount), locale: told.locale, theme: theme === "dark" ? "dark" : "default" }).mount(place);
  }
}

/**
 * Express: a payment that begins on this page, asks where it ships to, and is confirmed by our server with the token alone.
 * @param {Json} klarna
 */
function offerExpress({ Payment }) {
  const box = at("express");
  const says = at("express-says");
  if (!box) return;
  const quote = (/** @type {Json} */ asked) => ask("/express/quote", { basket: told.basket, ...asked });
  Payment.on("shippingaddresschange", (/** @type {Json} */ _, /** @type {Json} */ address) => quote({ address }));
  Payment.on("shippingoptionselect", (/** @type {Json} */ _, /** @type {Json} */ chosen) => quote(chosen));
  Payment.on("complete", async (/** @type {Json} */ request) => {
    // A payment of the checkout that came back by redirect: the gateway has finished it.
    if (request.paymentRequestReference !== told.order) return;
    const { klarnaNetworkSessionToken, shipping, klarnaCustomer } = request.stateContext;
    say(says, "Placing your order…");
    try {
      const customer = Object.fromEntries(Object.entries(klarnaCustomer?.customerProfile ?? {}).filter(([, value]) => typeof value === "string"));
      const { location: order } = await ask("/express/confirm", { order: told.order, basket: told.basket, klarnaNetworkSessionToken, shipping, customer });
      location.assign(order);
    } catch (error) {
      say(says, error instanceof Error ? error.message : String(error));
    }
    // Our server leads on, not the request's returnUrl.
    return false;
  });
  Payment.on("abort", () => say(says, "Nothing was charged, and your things are still here."));
  Payment.on("error", (/** @type {Json} */ error) => say(says, `It did not begin: ${error.errorMessage}`));
  const initiate = () => ({
    currency: told.currency,
    amount: told.amount,
    paymentRequestReference: told.order,
    supplementaryPurchaseData: { purchaseReference: told.order, lineItems: told.lineItems },
    shippingConfig: { mode: "EDITABLE", supportedCountries: told.shipsTo },
    collectCustomerProfile: ["profile:name", "profile:email"],
    customerInteractionConfig: { returnUrl: told.returnUrl },
  });
  const button = Payment.button({ id: "express-pay", initiate, initiationMode: "ON_PAGE", locale: told.locale, theme: "auto", intents: ["PAY"] });
  button.mount("#express-button");
  box.hidden = false;
}

/**
 * Klarna in the checkout, as the network says that it is shown now.
 * @param {Json} klarna
 */
async function offerKlarna({ Payment }) {
  const form = /** @type {HTMLFormElement | null} */ (at("pay-form"));
  if (!form) return;
  const says = at("pay-says");
  const asked = () => ({ ...told.basket, ...Object.fromEntries(new FormData(form)), order: told.order });
  /** Ours or Klarna's button, as the choice of methods says. */
  const show = () => {
    const isKlarna = new FormData(form).get("method") === "klarna";
    at("klarna-button")?.toggleAttribute("hidden", !isKlarna || !button);
    at("pay")?.toggleAttribute("hidden", isKlarna && Boolean(button));
  };
  const choose = (/** @type {string} */ method) => {
    const radio = /** @type {HTMLInputElement | null} */ (form.querySelector(`[name=method][value=${method}]`));
    if (radio) radio.checked = true;
  };
  /** @type {Json | undefined} */
  let button;
  /** @type {Json[]} */
  let parts = [];

  /** @param {Json} presentation */
  const present = (presentation) => {
    for (const part of parts) part.unmount();
    [parts, button] = [[], undefined];
    const option = presentation.savedPaymentOption ?? presentation.paymentOption;
    const [klarnaRow, others] = [at("method-klarna"), form.querySelectorAll(".method:not(#method-klarna)")];
    klarnaRow?.toggleAttribute("hidden", !option);
    for (const other of others) other.toggleAttribute("hidden", presentation.instruction === "SHOW_ONLY_KLARNA");
    if (!option) choose("collect");
    else {
      // Whoever saved a way to pay is known anyhow, and pays by that.
      const isSaved = Boolean(form.querySelector("[name=method][value=saved]"));
      if (presentation.instruction !== "SHOW_KLARNA" && !isSaved) choose("klarna");
      for (const name of ["icon", "header", "badge", "terms"]) {
        const [place, part] = [at(`klarna-${name}`), option[name]?.component?.({ shape: "rectangle" })];
        if (place) place.textContent = "";
        if (place && part) parts.push(part.mount(place));
      }
      const [place, enriched] = [at("klarna-subheader"), option.subheader?.enriched?.component?.()];
      if (place && enriched) {
        place.textContent = "";
        parts.push(enriched.mount(place));
      }
      const initiate = async (/** @type {Json} */ { klarnaNetworkSessionToken, paymentOptionId }) => {
        say(says, "");
        return ask("/checkout/begin", { ...asked(), klarna_network_session_token: klarnaNetworkSessionToken, payment_option_id: paymentOptionId ?? "" });
      };
      button = option.paymentButton.component({ id: "klarna-pay", initiate, initiationMode: told.mode, locale: told.locale });
      parts.push(button?.mount("#klarna-button"));
    }
    form.dataset.instruction = presentation.instruction;
    show();
  };

  Payment.on("presentationupdate", present);
  Payment.on("abort", (/** @type {Json} */ request) => {
    const words = {
      DECLINED: "Klarna said no this time. Nothing was charged: choose another way to pay, or try again.",
      EXPIRED: "The time for this payment has run out. Nothing was charged: you can begin again.",
    };
    say(says, words[/** @type {"DECLINED"} */ (request.state)] ?? "You left before the end. Nothing was charged: go on, or choose another way to pay.");
  });
  Payment.on("error", (/** @type {Json} */ error) => say(says, error.errorMessage ?? "The payment did not begin. Nothing was charged."));
  form.addEventListener("change", show);
  try {
    present(await Payment.presentation({ currency: told.currency, amount: told.amount, locale: told.locale, intents: ["PAY"] }));
  } catch {
    // Without the network's word Klarna is not offered.
    at("method-klarna")?.toggleAttribute("hidden", true);
    choose("collect");
    say(says, "Klarna cannot be offered at the moment.");
    show();
  }
  form.dataset.ready = "true";
}

if (told.script) {
  try {
    const sdk = await import(told.script);
    const klarna = await sdk.KlarnaSDK(told.sdk);
    promote(klarna);
    offerExpress(klarna);
    await offerKlarna(klarna);
  } catch (error) {
    // The plain form stays, and leads the whole way without the SDK.
    console.error("The Web SDK did not begin.", error);
  }
  document.documentElement.dataset.ready = "true";
}
