// The hosted page with script: loads the Web SDK, lets its presentation take the place of what the server read, pays in a window where
// that is better, and follows what happens in other tabs. Without this file the page works all the same, by its form.

/** @typedef {Record<string, any>} Json */

/** How often the page asks how it stands. */
const LOOK_EVERY_MS = 3000;

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const { base = "", sdkUrl, clientId, locale, currency, amount } = main.dataset;
let { mark = "" } = main.dataset;
const form = /** @type {HTMLFormElement | null} */ (document.getElementById("pay-form"));

/** While a payment is under way in this tab, it is the SDK that follows it. */
let isPaying = false;

/**
 * What this tab keeps over a reload: which choice was made, and that a payment was begun here. Where storage is refused, nothing is kept.
 * @param {"choice" | "paying"} name
 */
function recall(name) {
  try {
    return sessionStorage.getItem(`${base}#${name}`);
  } catch {
    return null;
  }
}

/**
 * @param {"choice" | "paying"} name
 * @param {string} value
 */
function keep(name, value) {
  try {
    sessionStorage.setItem(`${base}#${name}`, value);
  } catch {
    // The page works without.
  }
}

/** Reads how the order stands, and shows the page anew when that is another way than it says. */
async function look() {
  if (isPaying || document.visibilityState !== "visible") return;
  try {
    const answer = await fetch(`${base}/state`, { headers: { accept: "application/json" }, cache: "no-store" });
    if (!answer.ok || isPaying) return;
    const now = (await answer.json()).mark;
    if (now === mark) return;
    if (main.dataset.live) return await renew();
    // What was begun or confirmed here leads on once it is paid; what happened elsewhere is shown here.
    location.replace(mark.includes("Underway") || recall("paying") ? `${base}/done` : base);
  } catch {
    // The next look finds out.
  }
}

/** A till's page is renewed where it stands: nothing jumps, and who does not see it hears how the sale stands now. */
async function renew() {
  const answer = await fetch(base, { headers: { accept: "text/html" }, cache: "no-store" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = page.getElementById("main");
  const said = /** @type {HTMLElement | null} */ (main.querySelector(":scope > [role=status]"));
  const says = /** @type {HTMLElement | null | undefined} */ (next?.querySelector(":scope > [role=status]"));
  if (!next || !said || !says) return location.replace(base);
  document.title = page.title;
  mark = next.dataset.mark ?? "";
  // The place that speaks stays, and everything around it is put anew.
  said.className = says.className;
  said.dataset.state = says.dataset.state;
  said.replaceChildren(...says.childNodes);
  const around = [...next.children];
  const middle = around.indexOf(says);
  for (const old of [...main.children]) if (old !== said) old.remove();
  said.before(...around.slice(0, middle));
  said.after(...around.slice(middle + 1));
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
  // What was chosen while the SDK loaded, or before the page was loaded again, stays chosen.
  const before = chosen()?.value ?? recall("choice") ?? "";
  if (isHidden) {
    place.replaceChildren();
  } else {
    const isPreselected = ["PRESELECT_KLARNA", "SHOW_ONLY_KLARNA"].includes(shown.instruction);
    const isOnly = !document.getElementById("method-other") && options.length === 1;
    const named = options.findIndex((option) => before === `klarna/${option.paymentOptionId}`);
    // Klarna's names of its options are of the moment: an older one stands for Klarna.
    const wanted = named < 0 && (before ? before.startsWith("klarna/") : isPreselected || isOnly) ? 0 : named;
    place.replaceChildren(...options.map((option, index) => choice(option, index === wanted)));
    for (const id of ["nothing", "unheard"]) document.getElementById(id)?.remove();
    at("choices").hidden = false;
  }
  const other = /** @type {HTMLInputElement | null} */ (document.getElementById("method-other"));
  if (other && before === "other") other.checked = true;
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
  form?.addEventListener("change", () => {
    keep("choice", chosen()?.value ?? "");
    follow();
  });
  follow();
  main.dataset.ready = "true";
}

/**
 * The SDK asks for the payment: one and the same, however often it is asked.
 * @param {{ klarnaNetworkSessionToken: string, paymentOptionId?: string }} params
 */
async function begin({ klarnaNetworkSessionToken, paymentOptionId }) {
  isPaying = true;
  keep("paying", "yes");
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
  const passOn = () => {
    /** @type {HTMLInputElement} */ (at("session-token")).value = String(klarna.Network.Session.token() ?? "");
  };
  klarna.Network.Session.on("tokenupdate", passOn);
  passOn();
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
