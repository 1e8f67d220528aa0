// Payments: how Klarna is presented, and the way from a press of the button through the journey and back.

import { Emitter, KlarnaError, NETWORK, asError, either, keep, misuse, say, sayOnce, toCamel, toSnake } from "./core.mjs";
import { ButtonElement, curtain, iconPart, linkedPart, make, shadowOf, textPart } from "./elements.mjs";

/** @typedef {import("./core.mjs").Json} Json */
/** @typedef {import("./core.mjs").Session} Session */
/** @typedef {import("./elements.mjs").ButtonLook} ButtonLook */
/**
 * @typedef {{ klarnaNetworkSessionToken: string, paymentOptionId?: string, acquiringConfig?: Json }} InitiateParams
 * @typedef {(params: InitiateParams) => unknown} Initiate
 * @typedef {{ initiationMode?: string, interactionMode?: string, hideOverlay?: boolean }} InitiateOptions
 * @typedef {{ paymentRequestId: string, state: string, previousState?: string, stateReason?: string, amount?: number,
 *   currency?: string, stateContext: Json, [more: string]: any }} PaymentRequest
 * @typedef {{ read: Promise<void>, ends: { event: string, wire: Json }[], token?: string }} Returned
 */

/** How often a request is looked at while its window is open: the fallback of the message that the window sends. */
const LOOK_EVERY_MS = 1500;
/** A window that seems closed sooner than this was cut off by the page's own opener policy. */
const CUT_OFF_MS = 1500;
const OPEN_STATES = ["SUBMITTED", "IN_PROGRESS"];
const MODES = ["DEVICE_BEST", "REDIRECT", "ON_PAGE", "POPUP"];
const ADDRESS_OF_JOURNEY = /\/(eu|na|oc)\/requests\/([0-9a-f-]{36})\/start$/;
const REGIONS = /** @type {Record<string, string>} */ ({ eu: "eu1", na: "us1", oc: "ap1" });
/** Where a page keeps what its redirects left behind: one for all copies of this module. */
const RETURNED = Symbol.for("websdk:returned");
const PAYMENT_EVENTS = ["complete", "abort", "error", "shippingaddresschange", "shippingoptionselect", "presentationupdate", "update"];

/** Why a shop does not ship, or not so. */
export const ShippingRejectionReason = Object.freeze({
  ADDRESS_NOT_SUPPORTED: "ADDRESS_NOT_SUPPORTED",
  CITY_NOT_SUPPORTED: "CITY_NOT_SUPPORTED",
  COUNTRY_NOT_SUPPORTED: "COUNTRY_NOT_SUPPORTED",
  INVALID_OPTION: "INVALID_OPTION",
  POSTAL_CODE_NOT_SUPPORTED: "POSTAL_CODE_NOT_SUPPORTED",
  REGION_NOT_SUPPORTED: "REGION_NOT_SUPPORTED",
});

/**
 * A request as events and `fetch` tell it: the names of the SDK, and the session token under every name that clients read.
 * @param {Json} wire
 * @returns {PaymentRequest}
 */
export function paymentRequest(wire) {
  const told = toCamel(wire);
  const context = (told.stateContext ??= {});
  const token = context.klarnaNetworkSessionToken;
  if (token) Object.assign(context, { klarna_network_session_token: token, interoperabilityToken: token });
  delete told.returnLocation;
  delete told.shippingChange;
  return told;
}

/**
 * Region and access token of a journey's address.
 * @param {unknown} url
 */
export function readAddress(url) {
  const parsed = typeof url === "string" && URL.canParse(url) ? new URL(url) : undefined;
  const [, region, uuid] = (parsed && ADDRESS_OF_JOURNEY.exec(parsed.pathname)) ?? [];
  const access = parsed?.searchParams.get("token");
  if (!parsed || !region || !access) {
    throw misuse(
      `Invalid paymentRequestUrl: cannot extract access token or region from ${JSON.stringify(url)}. ` +
        "Return state_context.customer_interaction.payment_request_url exactly as the network answered it, not shortened or wrapped.",
    );
  }
  if (parsed.origin !== new URL(NETWORK).origin) {
    throw misuse(`Invalid paymentRequestUrl: ${parsed.origin} is not where this SDK came from (${NETWORK}).`);
  }
  return { id: `krn:payment:${REGIONS[region]}:request:${uuid}`, access, url: parsed.href };
}

const isMobile = () =>
  /** @type {any} */ (navigator).userAgentData?.mobile ?? /Android|iPhone|iPad|iPod|Mobile/i.test(navigator.userAgent);

/** Where a journey is shown. */
class Stage {
  /** @type {Window | null} */
  window = null;
  /** @type {ReturnType<typeof curtain> | undefined} */
  curtain;
  /** @type {HTMLIFrameElement | undefined} */
  frame;
  /** @type {"REDIRECT" | "POPUP" | "FRAME"} */
  kind = "REDIRECT";
  shownAt = 0;

  /**
   * Must run in the turn of the click.
   * @param {string} mode
   */
  constructor(mode) {
    this.mode = mode;
    if (mode === "REDIRECT" || (mode === "DEVICE_BEST" && isMobile())) return;
    this.kind = "POPUP";
    this.openWindow();
  }

  openWindow() {
    const [width, height] = [480, 760];
    const left = Math.max(0, window.screenX + (window.outerWidth - width) / 2);
    const top = Math.max(0, window.screenY + (window.outerHeight - height) / 2);
    const features = `popup,width=${width},height=${height},left=${Math.round(left)},top=${Math.round(top)}`;
    this.window = window.open(`${NETWORK}/websdk/opening`, `websdk-${Date.now()}`, features);
    if (!this.window) say("warn", "The browser blocked the payment window. initiate must be reached by a click, without waiting before it.");
  }

  /** @param {string} url */
  show(url) {
    this.shownAt = Date.now();
    if (this.kind === "POPUP") this.window?.location.replace(url);
    else if (this.frame) this.frame.src = url;
    else window.location.assign(url);
  }

  /** Whether the shopper closed it; never known of a window that the page's opener policy cut off. */
  isClosed() {
    if (this.kind !== "POPUP" || !this.window?.closed) return false;
    if (!this.cutOff && Date.now() - this.shownAt < CUT_OFF_MS) {
      this.cutOff = true;
      // No warning: a journey that was quick to end closes its window as early.
      sayOnce("info", "The payment window cannot be seen from here, perhaps by this page's Cross-Origin-Opener-Policy (use same-origin-allow-popups). The payment is followed all the same.");
    }
    return !this.cutOff;
  }
  cutOff = false;

  close() {
    this.window?.close();
    this.curtain?.close();
  }
}

/** `klarna.Payment`. */
export class Payment {
  ShippingRejectionReason = ShippingRejectionReason;
  #session;
  #events = new Emitter("Payment", PAYMENT_EVENTS);
  /** @type {Json | undefined} */
  #presented;
  /** @type {Stage | undefined} */
  #stage;

  /** @param {Session} session */
  constructor(session) {
    this.#session = session;
    this.#events.onFirst = (name) => queueMicrotask(() => this.#tellReturned(name));
    session.events.on("tokenupdate", async () => {
      if (!this.#presented || !this.#events.has("presentationupdate")) return;
      this.#events.emit("presentationupdate", await this.presentation(this.#presented));
    });
  }

  /**
   * @param {string} event
   * @param {Function} handler
   */
  on(event, handler) {
    this.#events.on(event, handler);
    return this;
  }

  /**
   * @param {string} event
   * @param {Function} [handler]
   */
  off(event, handler) {
    this.#events.off(event, handler);
    return this;
  }

  /** @param {(request: PaymentRequest) => unknown} handler */
  onComplete = (handler) => this.on("complete", handler);
  /** @param {(request: PaymentRequest) => unknown} handler */
  onAbort = (handler) => this.on("abort", handler);
  /** @param {(error: KlarnaError, request?: PaymentRequest) => unknown} handler */
  onError = (handler) => this.on("error", handler);
  /** @param {(request: PaymentRequest, address: Json) => unknown} handler */
  onShippingAddressChange = (handler) => this.on("shippingaddresschange", handler);
  /** @param {(request: PaymentRequest, option: Json) => unknown} handler */
  onShippingOptionSelect = (handler) => this.on("shippingoptionselect", handler);

  /**
   * How Klarna is to be shown now. A call that fails is an error: there is no presentation made up in its place.
   * @param {Json} config
   */
  async presentation(config) {
    this.#presented = config;
    const intents = [config?.intents ?? config?.intent ?? []].flat();
    const { acquiringConfig } = this.#session.config;
    try {
      const shown = await this.#session.call("GET", "/presentation", {
        query: {
          currency: config?.currency,
          amount: config?.amount ?? config?.paymentAmount,
          locale: config?.locale ?? this.#session.config.locale,
          "intents[]": intents,
          subscription_billing_interval: config?.subscriptionBillingInterval,
          subscription_billing_interval_frequency: config?.subscriptionBillingIntervalFrequency,
          "acquiring_config[payment_account_id]": acquiringConfig?.paymentAccountId,
        },
      });
      return this.#presentation(shown, { locale: config?.locale, intents });
    } catch (error) {
      say("error", `presentation() failed: ${asError(error).errorMessage} Nothing is shown in its place: without an answer of the network, do not offer Klarna.`, error);
      this.#events.emit("error", asError(error));
      throw error;
    }
  }

  /**
   * @param {Json} shown
   * @param {Json} asked
   */
  #presentation(shown, asked) {
    const paymentOption = this.#option(shown.payment_option, asked);
    const savedPaymentOption = this.#option(shown.saved_payment_option, asked);
    const first = savedPaymentOption ?? paymentOption;
    return {
      instruction: shown.instruction,
      paymentStatus: shown.payment_status,
      paymentOption,
      savedPaymentOption,
      // The flat names of release 6.
      ...(first && { icon: first.icon, header: first.header, subheader: first.subheader, paymentButton: first.paymentButton }),
    };
  }

  /**
   * @param {Json | undefined} option
   * @param {Json} asked
   * @returns {Json | undefined}
   */
  #option(option, asked) {
    if (!option) return undefined;
    const { payment_option_id: paymentOptionId, subheader, payment_button: button } = option;
    return {
      paymentOptionId,
      icon: iconPart(option.icon),
      header: textPart("header", option.header),
      subheader: {
        ...textPart("subheader", subheader),
        short: textPart("subheader", subheader?.short ?? subheader),
        enriched: linkedPart("subheader", subheader?.enriched ?? subheader),
      },
      badge: textPart("badge", option.badge),
      message: textPart("message", option.message),
      terms: textPart("terms", option.terms),
      paymentButton: {
        text: button?.text,
        /** @param {Json} [config] */
        component: (config = {}) => this.#button({ ...asked, ...config }, button?.label, paymentOptionId),
      },
    };
  }

  /**
   * A button without a presentation, as in Express Checkout.
   * @param {ButtonLook & InitiateOptions & { initiate?: Initiate, intents?: string[], intent?: string }} [config]
   */
  button(config = {}) {
    return this.#button(config);
  }

  /**
   * @param {Json} config
   * @param {string} [label]
   * @param {string} [paymentOptionId]
   */
  #button(config, label, paymentOptionId) {
    const intent = [config.intents ?? config.intent ?? []].flat()[0] ?? "PAY";
    const text = label ?? this.#session.words(config.locale).then((words) => words.buttons[intent] ?? words.buttons.PAY);
    const button = new ButtonElement(config, text);
    button.onPress = () => {
      if (typeof config.initiate !== "function") {
        // Older pages start in a handler of the click.
        if (!config.startsElsewhere) say("warn", 'This button does nothing by itself: give it "initiate", or start in a handler of its "click".');
        return;
      }
      button.toggleState("loading", true);
      this.#start(config.initiate, config, paymentOptionId).finally(() => button.toggleState("loading", false));
    };
    return button;
  }

  /**
   * Begins a payment; must be called in the turn of a click. What goes wrong is told by the `error` event.
   * @param {Initiate} dataFn
   * @param {InitiateOptions} [options]
   * @returns {Promise<PaymentRequest | undefined>} How it ended, or nothing where it did not begin.
   */
  initiate(dataFn, options = {}) {
    return this.#start(dataFn, options);
  }

  /**
   * @param {string} paymentRequestId
   * @returns {Promise<PaymentRequest>}
   */
  async fetch(paymentRequestId) {
    return paymentRequest(await this.#read(paymentRequestId));
  }

  /**
   * @param {string} paymentRequestId
   * @returns {Promise<PaymentRequest>}
   */
  async cancel(paymentRequestId) {
    const query = { access_token: this.#accessTo(paymentRequestId) };
    const canceled = await this.#session.call("DELETE", `/payment-requests/${encodeURIComponent(paymentRequestId)}`, { query });
    return paymentRequest(canceled);
  }

  /** @param {string} id */
  #read(id) {
    return this.#session.call("GET", `/payment-requests/${encodeURIComponent(id)}`, { query: { access_token: this.#accessTo(id) } });
  }

  /** @param {string} id @returns {string | undefined} */
  #accessTo(id) {
    return keep.read("access")?.[id];
  }

  /**
   * @param {Initiate} dataFn
   * @param {InitiateOptions} options
   * @param {string} [paymentOptionId]
   * @returns {Promise<PaymentRequest | undefined>}
   */
  async #start(dataFn, options, paymentOptionId) {
    if (this.#stage) {
      say("warn", "A payment is under way already: its window comes to the front.");
      this.#stage.window?.focus();
      return undefined;
    }
    const mode = String(options.initiationMode ?? options.interactionMode ?? "DEVICE_BEST");
    if (!MODES.includes(mode)) say("warn", `initiationMode "${mode}" is none of ${MODES.join(", ")}: DEVICE_BEST it is.`);
    // Nothing may be awaited before this line.
    const stage = (this.#stage = new Stage(MODES.includes(mode) ? mode : "DEVICE_BEST"));
    try {
      const { acquiringConfig } = this.#session.config;
      const answer = await dataFn({ klarnaNetworkSessionToken: this.#session.token(), paymentOptionId, acquiringConfig });
      return await this.#follow(stage, answer, options, paymentOptionId);
    } catch (thrown) {
      const error = asError(thrown);
      say("error", `The payment did not begin: ${error.errorMessage}`, thrown);
      this.#events.emit("error", error, undefined);
      return undefined;
    } finally {
      stage.close();
      this.#stage = undefined;
    }
  }

  /**
   * @param {Stage} stage
   * @param {any} answer What `initiate` returned.
   * @param {InitiateOptions} options
   * @param {string} [paymentOptionId]
   */
  async #follow(stage, answer, options, paymentOptionId) {
    const words = await this.#session.words();
    if (stage.kind === "POPUP" && !stage.window) await this.#unblocked(stage, words);
    if (!this.#stage) return undefined;
    const address = await this.#address(stage, answer, paymentOptionId);
    // The page goes elsewhere.
    if (!address) return undefined;
    keep.write("access", { ...keep.read("access"), [address.id]: address.access });
    const giveUp = () => this.#leave(address).then((request) => this.#settle?.(request));
    const launched = await this.#session.call("POST", `/payment-requests/${encodeURIComponent(address.id)}/launch`, {
      body: {
        access_token: address.access,
        display: stage.kind,
        answers_shipping: this.#events.has("shippingaddresschange") && stage.kind !== "REDIRECT",
        shipping_config: toSnake(either(answer, "shippingConfig", "shipping_config")),
      },
    });
    if (stage.kind === "REDIRECT") {
      if (!launched.return_location) {
        say("warn", "This payment goes by redirect but has no returnUrl: the shopper will not find back to this page. Give customerInteractionConfig.returnUrl.");
      }
      const pending = keep.read("pending") ?? [];
      keep.write("pending", [...pending, { id: address.id, clientId: this.#session.config.clientId }]);
      stage.show(address.url);
      // The page goes away; a browser may bring it back as it was, by its back button.
      return new Promise((resolve) => {
        window.addEventListener("pageshow", (event) => event.persisted && this.resume().then(() => resolve(undefined)));
      });
    }
    if (stage.kind === "FRAME") this.#openFrame(stage, words, giveUp);
    else if (!options.hideOverlay) {
      stage.curtain?.close();
      stage.curtain = curtain(words, { onFocus: () => stage.window?.focus(), onCancel: giveUp });
    }
    stage.show(address.url);
    return this.#watch(stage, address, launched);
  }

  /**
   * Where the journey is, from whatever `initiate` returned.
   * @param {Stage} stage
   * @param {any} answer
   * @param {string} [paymentOptionId]
   */
  async #address(stage, answer, paymentOptionId) {
    const url = either(answer, "paymentRequestUrl", "payment_request_url");
    if (url) return readAddress(url);
    const id = either(answer, "paymentRequestId", "payment_request_id");
    if (id) {
      sayOnce("warn", "initiate returned a paymentRequestId, which is deprecated: return { paymentRequestUrl }.");
      const found = await this.#read(id);
      return readAddress(found.state_context?.customer_interaction?.payment_request_url ?? `(the request is ${found.state})`);
    }
    const data = toSnake(answer ?? {});
    if (data.currency) return this.#create(stage, data, paymentOptionId);
    if (data.return_url) {
      stage.close();
      window.location.assign(data.return_url);
      return undefined;
    }
    throw misuse(
      "initiate must return { paymentRequestUrl }, { returnUrl } or the data of a payment request with its currency; " +
        `it returned ${JSON.stringify(answer)}.`,
      "INVALID_CALLBACK_RESPONSE",
    );
  }

  /**
   * The SDK asks for the request itself.
   * @param {Stage} stage
   * @param {Json} data
   * @param {string} [paymentOptionId]
   */
  async #create(stage, { payment_amount, ...data }, paymentOptionId) {
    const config = { ...data.customer_interaction_config };
    if (!config.return_url && stage.kind === "REDIRECT") config.return_url = window.location.href;
    config.method ??= config.return_url ? "HANDOVER" : "SDK";
    const body = {
      ...data,
      amount: data.amount ?? payment_amount,
      payment_option_id: data.payment_option_id ?? paymentOptionId,
      acquiring_config: data.acquiring_config ?? toSnake(this.#session.config.acquiringConfig),
      customer_interaction_config: config,
    };
    const created = await this.#session.call("POST", "/payment-requests", { body });
    return readAddress(created.state_context.customer_interaction.payment_request_url);
  }

  /**
   * What to do without a window: away with the page if the mode allows it, else a frame, else a second press.
   * @param {Stage} stage
   * @param {Json} words
   */
  #unblocked(stage, words) {
    if (stage.mode === "DEVICE_BEST") stage.kind = "REDIRECT";
    else if (stage.mode === "ON_PAGE") stage.kind = "FRAME";
    else {
      return new Promise((resolve) => {
        const over = () => resolve(stage.curtain?.close());
        const onFocus = () => {
          stage.openWindow();
          if (stage.window) over();
        };
        const onCancel = () => {
          this.#stage = undefined;
          over();
        };
        stage.curtain = curtain(words, { blocked: true, onFocus, onCancel });
      });
    }
    say("info", `The payment goes on ${stage.kind === "FRAME" ? "in a frame on this page" : "by redirect"}.`);
    return undefined;
  }

  /**
   * @param {Stage} stage
   * @param {Json} words
   * @param {() => void} giveUp
   */
  #openFrame(stage, words, giveUp) {
    stage.curtain = curtain(words, { onFocus: () => {}, onCancel: giveUp });
    stage.curtain.host.dataset.full = "";
    stage.frame = /** @type {HTMLIFrameElement} */ (make("iframe", { title: words.curtain_title, allow: "payment" }));
    shadowOf(stage.curtain.host, "curtain").append(stage.frame);
  }

  /** @type {((request: Json) => void) | undefined} */
  #settle;

  /**
   * Until the request ends or the shopper leaves: by the window's message, and by looking.
   * @param {Stage} stage
   * @param {{ id: string, access: string }} address
   * @param {Json} launched
   */
  async #watch(stage, address, launched) {
    const network = new URL(NETWORK).origin;
    let [isLooking, isOver, isLeaving, answered, state] = [false, false, false, 0, launched.state];
    const ended = new Promise((resolve) => (this.#settle = resolve));
    const look = async () => {
      if (isLooking) return;
      isLooking = true;
      try {
        // Before the request is read, so that what a closing window did last is seen.
        const wasClosed = stage.isClosed();
        const request = await this.#read(address.id);
        if (request.state !== state) {
          this.#events.emit("update", paymentRequest(request));
          // The journey's own way out leads from IN_PROGRESS back to SUBMITTED.
          if (request.state === "SUBMITTED") return this.#settle?.(request);
          state = request.state;
        }
        if (!OPEN_STATES.includes(request.state)) return this.#settle?.(request);
        // Left so soon that nobody saw it under way: the journey itself says that it is over.
        if (isOver && request.state === "SUBMITTED") return this.#settle?.(request);
        const change = request.shipping_change;
        if (change && change.sequence > answered) {
          answered = change.sequence;
          await this.#ship(request, change);
        }
        if (wasClosed) this.#settle?.(await this.#leave(address));
      } catch (error) {
        // A page that is being left has its calls cut off.
        if (!isLeaving) say("warn", "The payment could not be looked at; trying again.", error);
      } finally {
        isLooking = false;
      }
    };
    /** @param {MessageEvent} event */
    const listen = ({ origin, data }) => {
      if (origin !== network || data?.type !== "websdk:journey" || data.paymentRequestId !== address.id) return;
      isOver ||= data.state !== "asking";
      look();
    };
    const leaving = () => (isLeaving = true);
    window.addEventListener("message", listen);
    window.addEventListener("beforeunload", leaving);
    const timer = setInterval(look, LOOK_EVERY_MS);
    try {
      const request = await ended;
      stage.close();
      return await this.#end(request, true);
    } finally {
      clearInterval(timer);
      window.removeEventListener("message", listen);
      window.removeEventListener("beforeunload", leaving);
      this.#settle = undefined;
    }
  }

  /** @param {{ id: string, access: string }} address @returns {Promise<Json>} */
  #leave({ id, access }) {
    return this.#session.call("POST", `/payment-requests/${encodeURIComponent(id)}/leave`, { body: { access_token: access } });
  }

  /**
   * Tells how it ended.
   * @param {Json} wire
   * @param {boolean} mayGo Whether the page may be sent to the returnUrl: not when that is where it comes from.
   */
  async #end(wire, mayGo) {
    const request = paymentRequest(wire);
    if (request.state !== "COMPLETED") {
      await this.#events.emit("abort", request);
      return request;
    }
    this.#session.update(request.stateContext.klarnaNetworkSessionToken);
    const answers = await this.#events.emit("complete", request);
    if (mayGo && wire.return_location && !answers.includes(false)) window.location.assign(wire.return_location);
    return request;
  }

  /**
   * The shopper chose an address or an option: the page says what that means.
   * @param {Json} wire
   * @param {Json} change
   */
  async #ship(wire, change) {
    const isOption = change.kind === "OPTION";
    const event = isOption ? "shippingoptionselect" : "shippingaddresschange";
    const chosen = isOption ? { shippingOptionReference: change.shipping_option_reference } : toCamel(change.address);
    const answers = await this.#events.emit(event, paymentRequest(wire), chosen);
    const answer = toSnake(answers.filter((each) => each && typeof each === "object").at(-1) ?? {});
    // An option without a handler of its own keeps its price.
    const needsOptions = !isOption && !answer.rejection_reason && !answer.shipping_options?.length;
    if (needsOptions) {
      const error = misuse("A handler of shippingaddresschange must return { shippingOptions } with at least one, or { rejectionReason }.", "INVALID_CALLBACK_RESPONSE");
      say("error", error.errorMessage);
      this.#events.emit("error", error, paymentRequest(wire));
      answer.rejection_reason = ShippingRejectionReason.ADDRESS_NOT_SUPPORTED;
    }
    const send = (/** @type {Json} */ body) =>
      this.#session.call("POST", `/payment-requests/${encodeURIComponent(wire.payment_request_id)}/shipping-change`, {
        body: { access_token: this.#accessTo(wire.payment_request_id), sequence: change.sequence, ...body },
      });
    try {
      await send(answer);
    } catch (thrown) {
      const error = asError(thrown);
      say("error", `The answer to ${event} was refused: ${error.errorMessage}`, answer);
      this.#events.emit("error", error, paymentRequest(wire));
      const reason = isOption ? ShippingRejectionReason.INVALID_OPTION : ShippingRejectionReason.ADDRESS_NOT_SUPPORTED;
      await send({ rejection_reason: reason });
    }
  }

  /** After a redirect: looks at what this tab had under way, and tells it once somebody listens. */
  async resume() {
    const { clientId } = this.#session.config;
    /** @type {{ id: string, clientId: string }[]} */
    const pending = keep.read("pending") ?? [];
    const mine = pending.filter((each) => each.clientId === clientId);
    const returned = this.#returned();
    if (mine.length > 0) {
      // Taken out first: told once, whatever happens next.
      keep.write("pending", pending.filter((each) => each.clientId !== clientId));
      returned.read = returned.read.then(() => this.#readReturned(mine.map(({ id }) => id)));
    }
    await returned.read;
    this.#session.update(returned.token);
    for (const event of ["complete", "abort"]) if (this.#events.has(event)) this.#tellReturned(event);
  }

  /**
   * What redirects left behind, until somebody listens. A page may have several instances, of several copies of this module
   * even: the classic script's own is one, and it may be ready before the one that has the handlers.
   * @returns {Returned}
   */
  #returned() {
    /** @type {Record<string, Returned>} */
    const all = (/** @type {any} */ (window)[RETURNED] ??= {});
    return (all[this.#session.config.clientId] ??= { read: Promise.resolve(), ends: [] });
  }

  /** @param {string[]} ids */
  async #readReturned(ids) {
    const returned = this.#returned();
    for (const id of ids) {
      try {
        let wire = await this.#read(id);
        // Back without having left by the journey's own way, by the browser's back button say.
        if (wire.state === "IN_PROGRESS") wire = await this.#leave({ id, access: this.#accessTo(id) ?? "" });
        const isCompleted = wire.state === "COMPLETED";
        if (isCompleted) returned.token = wire.state_context?.klarna_network_session_token;
        returned.ends.push({ event: isCompleted ? "complete" : "abort", wire });
      } catch (error) {
        say("warn", `The payment request ${id}, under way before this page was loaded, cannot be read.`, error);
      }
    }
  }

  /** @param {string} name */
  async #tellReturned(name) {
    const returned = this.#returned();
    const due = returned.ends.filter(({ event }) => event === name);
    returned.ends = returned.ends.filter(({ event }) => event !== name);
    for (const { wire } of due) await this.#end(wire, false);
  }
}
