// The Web SDK as this network end serves it, for pages that were written for Klarna's: the same names, our own looks and words.
//
//     const { KlarnaSDK } = await import("https://network.example/web-sdk/v2/klarna.mjs");
//     const klarna = await KlarnaSDK({ clientId: "klarna_test_client_…" });

import { Emitter, KlarnaError, PaymentError, Session, WidgetError, misuse, say } from "./core.mjs";
import { FirstPayment, Interoperability } from "./first.mjs";
import { Identity } from "./identity.mjs";
import { Messaging, refreshPlacements, upgradePlacements } from "./messaging.mjs";
import { Payment } from "./payment.mjs";

/** @typedef {import("./core.mjs").Configuration} Configuration */
/** @typedef {ReturnType<typeof assemble>} Klarna */

const PRODUCTS = ["PAYMENT", "CUSTOMER", "IDENTITY", "MESSAGING"];

/**
 * @param {Configuration | undefined} config
 * @param {typeof Payment} PaymentOf
 */
async function begin(config, PaymentOf) {
  const faults = [];
  if (typeof config?.clientId !== "string" || !config.clientId) faults.push("clientId is required, such as klarna_test_client_…");
  const { acquiringConfig, products } = config ?? {};
  if (acquiringConfig && !acquiringConfig.paymentAccountId) faults.push("acquiringConfig names a payment account: { paymentAccountId }");
  const unknown = (products ?? []).filter((product) => !PRODUCTS.includes(product));
  if (unknown.length > 0) say("warn", `products: ${unknown.join(", ")} is none of ${PRODUCTS.join(", ")}.`);
  const session = new Session(/** @type {Configuration} */ (config ?? {}));
  try {
    if (faults.length > 0) throw misuse(`${faults.join("; ")}.`);
    await session.open();
  } catch (error) {
    const told = /** @type {KlarnaError} */ (error);
    say("error", `This page gets no SDK: ${told.errorMessage}`, error);
    throw error;
  }
  const klarna = assemble(session, new PaymentOf(session));
  await klarna.Payment.resume();
  return { klarna, session };
}

/**
 * @template {Payment} P
 * @param {Session} session
 * @param {P} payment
 */
function assemble(session, payment) {
  return {
    Payment: payment,
    Messaging: new Messaging(session),
    Identity: new Identity(session),
    Interoperability: new Interoperability(session),
    Network: {
      Session: {
        token: () => session.token(),
        on: (/** @type {"tokenupdate"} */ event, /** @type {(token: string) => void} */ handler) => session.events.on(event, handler),
        off: (/** @type {"tokenupdate"} */ event, /** @type {Function=} */ handler) => session.events.off(event, handler),
      },
    },
    /** Nothing of it is served to browsers: customer tokens stay with the Partner's server. */
    Customer: customer(),
    Config: {
      /** @param {string} id */
      async setPartnerAccountId(id) {
        session.config.partnerAccountId = id;
        await session.open();
      },
      /** @param {string} token */
      async setSdkToken(token) {
        session.config.sdkToken = token;
        await session.open();
      },
    },
    KlarnaError,
    PaymentError,
    WidgetError,
  };
}

function customer() {
  const events = new Emitter("Customer", ["change"]);
  return {
    on: (/** @type {string} */ event, /** @type {Function} */ handler) => events.on(event, handler),
    off: (/** @type {string} */ event, /** @type {Function=} */ handler) => events.off(event, handler),
  };
}

/**
 * Begins an instance; a page may have several.
 * @param {Configuration} config
 */
export async function KlarnaSDK(config) {
  return (await begin(config, Payment)).klarna;
}

/**
 * The same for pages of the first generation.
 * @param {Configuration} config
 */
export async function init(config) {
  return (await begin(config, FirstPayment)).klarna;
}

/**
 * What the classic script does once this is loaded: an instance for the page, its placements, and the page's callback.
 * @param {Configuration} config
 * @param {boolean} isFirst Whether the script is the one of the first generation.
 */
export async function forPage(config, isFirst) {
  const { klarna, session } = await begin(config, isFirst ? FirstPayment : Payment);
  upgradePlacements(session);
  return klarna;
}

export { refreshPlacements };

export default KlarnaSDK;
