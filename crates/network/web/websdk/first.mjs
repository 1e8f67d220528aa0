// The first generation: a request is an object with methods, states have other names, availability is asked by itself.

import { Emitter, asError, say } from "./core.mjs";
import { Payment } from "./payment.mjs";

/** @typedef {import("./core.mjs").Json} Json */
/** @typedef {import("./core.mjs").Session} Session */
/** @typedef {import("./payment.mjs").PaymentRequest} PaymentRequest */

/**
 * A present request as the first generation told it.
 * @param {PaymentRequest} request
 */
function older(request) {
  const state = { COMPLETED: "PENDING_CONFIRMATION", DECLINED: "CANCELED" }[request.state] ?? request.state;
  const stateContext = { ...request.stateContext, paymentConfirmationToken: request.stateContext?.paymentToken };
  return { ...request, state, stateContext, result: stateContext, paymentAmount: request.amount };
}

/** A payment as the page of the first generation holds it. */
export class FirstPaymentRequest {
  /** @type {Payment} */
  #payment;
  /** @type {Json} */
  #data;
  /** @type {Json} */
  #options;
  paymentRequestId = "";
  state = "CREATED";
  /** @type {string | undefined} */
  previousState;
  /** @type {Json} */
  stateContext = {};

  /**
   * @param {Payment} payment
   * @param {Json} data
   * @param {Json} options
   */
  constructor(payment, data, options) {
    [this.#payment, this.#data, this.#options] = [payment, data, options];
  }

  /** @param {PaymentRequest | undefined} request */
  take(request) {
    if (request) Object.assign(this, older(request));
    return this;
  }

  /**
   * Begins; in the turn of a click.
   * @param {Json} [data]
   * @param {Json} [options]
   */
  async initiate(data, options) {
    this.update(data ?? {});
    return this.take(await this.#payment.initiate(() => this.#data, { ...this.#options, ...options }));
  }

  /** Approves without confirming: here every approval waits for the Partner's confirmation. @param {Json} [data] @param {Json} [options] */
  prepare(data, options) {
    return this.initiate(data, options);
  }

  /** @param {Json} [data] @param {Json} [options] */
  submit(data, options) {
    return this.initiate(data, options);
  }

  /** @param {Json} data */
  update(data) {
    this.#data = { ...this.#data, ...data };
    return this;
  }

  async fetch() {
    return this.paymentRequestId ? this.take(await this.#payment.fetch(this.paymentRequestId)) : this;
  }

  async cancel() {
    return this.paymentRequestId ? this.take(await this.#payment.cancel(this.paymentRequestId)) : this;
  }

  abort() {
    return this.cancel();
  }
}

/** `Klarna.Payment` of the first generation. */
export class FirstPayment extends Payment {
  /** What buttons start: the request that was made last. @type {FirstPaymentRequest | undefined} */
  #current;

  /**
   * @param {Json} data
   * @param {Json} [options]
   */
  request(data, options = {}) {
    return (this.#current = new FirstPaymentRequest(this, data, options));
  }

  /** Handlers as they stand at events. @type {WeakMap<Function, Function>} */
  #wrapped = new WeakMap();

  /** @param {string} event @param {Function} handler */
  on(event, handler) {
    const told = ["complete", "abort", "update", "shippingaddresschange", "shippingoptionselect"].includes(event);
    const wrapped = told ? (/** @type {PaymentRequest} */ request, /** @type {unknown[]} */ ...rest) => handler(older(request), ...rest) : handler;
    this.#wrapped.set(handler, wrapped);
    return super.on(event, wrapped);
  }

  /** @param {string} event @param {Function} [handler] */
  off(event, handler) {
    return super.off(event, handler && (this.#wrapped.get(handler) ?? handler));
  }

  /** @param {Json} [options] @returns {Promise<boolean>} */
  async canMakePayment(options = {}) {
    try {
      const { instruction } = await this.presentation({ ...options, amount: options.amount ?? options.paymentAmount });
      return instruction !== "HIDE_KLARNA";
    } catch (error) {
      say("error", `canMakePayment() could not find out: ${asError(error).errorMessage}`);
      return false;
    }
  }

  /** @param {Json} [config] */
  button(config = {}) {
    const button = super.button(/** @type {Json} */ ({ ...config, startsElsewhere: true }));
    // Handlers of the click start the payment, with the request that they are given.
    button.passes = () => [this.#current ?? this.request({}), button];
    return button;
  }
}

/** `klarna.Interoperability`. */
export class Interoperability {
  #session;
  /** @type {Emitter} */
  #events;

  /** @param {Session} session */
  constructor(session) {
    this.#session = session;
    this.#events = session.olderEvents;
  }

  token() {
    return this.#session.token();
  }

  /**
   * @param {"tokenupdate"} event
   * @param {Function} handler
   */
  on(event, handler) {
    this.#events.on(event, handler);
    return this;
  }

  /** @param {string} event @param {Function} [handler] */
  off(event, handler) {
    this.#events.off(event, handler);
    return this;
  }

  /** @param {Json} purchase `{ country, currency, paymentAmount }` */
  async status(purchase) {
    return (await this.resolve({}, purchase)).status;
  }

  /**
   * Whether and how well a payment can be made.
   * @param {Json} [reference]
   * @param {Json} [purchase]
   */
  async resolve(reference = {}, purchase = {}) {
    const query = {
      country: purchase.country,
      currency: purchase.currency,
      payment_amount: purchase.paymentAmount ?? purchase.amount,
      interoperability_token: reference.interoperabilityToken ?? this.token(),
      merchant_reference: reference.merchantReference,
      platform_reference: reference.platformReference,
    };
    const told = await this.#session.call("GET", "/interoperability", { query });
    return {
      status: told.status,
      shoppingSessionId: told.shopping_session_id,
      ...(told.payment_confirmation_token && { paymentConfirmationToken: told.payment_confirmation_token }),
    };
  }
}
