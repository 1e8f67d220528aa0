// The hosted page with script: loads the Web SDK, lets its presentation take the place of what the server read, pays in a window where
// that is better, and follows what happens in other tabs. Without this file the page works all the same, by its form.

/** @typedef {Record<string, any>} Json */

/** How often the page asks how it stands. */
const LOOK_EVERY_MS = 3000;

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const { base = "", mark = "", sdkUrl, clientId, locale, currency, amount } = main.dataset;
const form = /** @type {HTMLFormElement | null} */ (document.getElementById("pay-form"));

/** While a payment is under way in this tab, it is the SDK that follows it. */
let isPaying = false;

/** Reads how the order stands, and shows the page anew when that is another way than it says. */
async function look() {
  if (isPaying || document.visibilityState !== "visible") return;
  try {
    const answer = await fetch(`${base}/state`, { headers: { accept: "application/json" }, cache: "no-store" });
    if (!answer.ok || isPaying) return;
    const now = (await answer.json()).mark;
    if (now === mark) return;
    // What was confirmed while this page waited leads on; what happened elsewhere is shown here.
    location.replace(mark.includes("Underway") ? `${base}/done` : base);
  } catch {
    // The next look finds out.
  }
}

/** @param {string} id */
const at = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @returns {HTMLInputElement | null} */
const chosen = () => form?.querySelector('input[name="method"]:checked') ?? null;

/** @param {boolean} isShown */
function showTrouble(isShown) {
  at("trouble").hidden = !isShown;
}

/** Pressed twice, the form is sent once. */
function guardForm() {
  let isSent = false;
  form?.addEventListener("submit", (event) => {
    if (isSent) return event.preventDefault();
    isSent = true;
    at("pay").setAttribute("aria-disabled", "true");
  });
  // Back from where it led: it can be sent again.
  addEventListener("pageshow", (event) => {
    isSent = false;
    at("pay")?.removeAttribute("aria-disabled");
    if (event.persisted) location.replace(base);
  });
}

/**
 * A choice of Klarna's, made of the parts that the SDK gives.
 * @param {Json} option
 * @param {boolean} isChosen
 */
function choice(option, isChosen) {
  const label = document.createElement("label");
  label.className = "choice";
  const input = Object.assign(document.createElement("input"), { type: "radio", name: "method", required: true });
  input.value = `klarna/${option.paymentOptionId}`;
  input.checked = isChosen;
  input.dataset.testid = "method-klarna";
  const [text, row, header] = ["span", "span", "strong"].map((tag) => document.createElement(tag));
  row.className = "row";
  row.append(header);
  text.append(row);
  label.append(input, text);
  option.header?.component?.().mount(header);
  option.badge?.component?.().mount(row);
  option.icon?.component?.({ shape: "badge" }).mount(row);
  for (const [part, name] of [[option.subheader?.short ?? option.subheader, "help"], [option.message, "parts"]]) {
    if (!part?.component) continue;
    const place = document.createElement("span");
    place.className = name;
    text.append(place);
    part.component().mount(place);
  }
  return label;
}

/** @param {Json} klarna */
async function present(klarna) {
  const shown = await klarna.Payment.presentation({ amount: Number(amount), currency, locale, intents: ["PAY"] });
  const options = [shown?.savedPaymentOption, shown?.paymentOption].filter(Boolean);
  const isHidden = !shown || shown.instruction === "HIDE_KLARNA" || options.length === 0;
  const place = at("klarna-options");
  const before = chosen()?.value;
  if (isHidden) {
    place.replaceChildren();
  } else {
    const isPreselected = ["PRESELECT_KLARNA", "SHOW_ONLY_KLARNA"].includes(shown.instruction);
    const isOnly = !document.getElementById("method-other") && options.length === 1;
    const wants = (/** @type {Json} */ option, /** @type {number} */ index) =>
      before ? before === `klarna/${option.paymentOptionId}` : index === 0 && (isPreselected || isOnly);
    place.replaceChildren(...options.map((option, index) => choice(option, wants(option, index))));
    for (const id of ["nothing", "unheard"]) document.getElementById(id)?.remove();
  }
  const buttons = new Map(options.map((option) => [`klarna/${option.paymentOptionId}`, option]));
  /** @type {Json | undefined} */
  let mounted;
  const follow = () => {
    const option = isHidden ? undefined : buttons.get(chosen()?.value ?? "");
    mounted?.unmount();
    mounted = option?.paymentButton.component({ id: "klarna-pay", locale, initiate: begin, initiationMode: "DEVICE_BEST", theme: "auto" });
    mounted?.mount(at("klarna-button"));
    at("klarna-button").hidden = !mounted;
    const pay = at("pay");
    pay.hidden = Boolean(mounted) || !form?.querySelector('input[name="method"]');
    pay.textContent = (chosen()?.value === "other" ? pay.dataset.goOn : pay.dataset.pay) ?? "";
  };
  form?.addEventListener("change", follow);
  follow();
  main.dataset.ready = "true";
}

/**
 * The SDK asks for the payment: one and the same, however often it is asked.
 * @param {{ klarnaNetworkSessionToken: string, paymentOptionId?: string }} params
 */
async function begin({ klarnaNetworkSessionToken, paymentOptionId }) {
  isPaying = true;
  showTrouble(false);
  const answer = await fetch(`${base}/pay`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ method: "klarna", klarna_network_session_token: klarnaNetworkSessionToken, payment_option_id: paymentOptionId }),
  });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error_message ?? `the checkout answered ${answer.status}`);
  if (said.payment_request_url) return { paymentRequestUrl: said.payment_request_url };
  return { returnUrl: new URL(said.location, location.href).href };
}

async function begins() {
  if (!form || !sdkUrl || !clientId) return;
  const { partnerAccountId, paymentAccountId, token } = main.dataset;
  const sdk = await import(sdkUrl);
  const klarna = await sdk.KlarnaSDK({
    clientId,
    partnerAccountId,
    locale,
    products: ["PAYMENT"],
    ...(paymentAccountId && { acquiringConfig: { paymentAccountId } }),
    ...(token && { klarnaNetworkSessionToken: token }),
  });
  const keep = () => {
    /** @type {HTMLInputElement} */ (at("session-token")).value = String(klarna.Network.Session.token() ?? "");
  };
  klarna.Network.Session.on("tokenupdate", keep);
  keep();
  // In a window of its own the SDK goes on by itself; back by redirect, this page goes on.
  klarna.Payment.on("complete", () => {
    if (!isPaying) location.replace(`${base}/done`);
  });
  klarna.Payment.on("abort", () => {
    if (isPaying) location.replace(base);
  });
  klarna.Payment.on("error", () => {
    isPaying = false;
    showTrouble(true);
  });
  await present(klarna);
}

guardForm();
setInterval(look, LOOK_EVERY_MS);
document.addEventListener("visibilitychange", look);
begins().catch((error) => {
  // What the server read of Klarna stays, and the form pays.
  console.warn("The Web SDK could not be used; the page goes on without it.", error);
  main.dataset.ready = "false";
});
