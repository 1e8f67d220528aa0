// What every part of the SDK stands on: errors, words to the developer, events, spelling, and the wire.

/** Where the network end is reached, without a trailing slash; filled in when the file is served. */
export const NETWORK = "{{network}}";

/** @typedef {Record<string, any>} Json */
/** @typedef {{ parameter?: string, reason?: string }} ValidationError */

/** What goes wrong, in the shape that pages read. */
export class KlarnaError extends Error {
  /**
   * @param {{ errorType: string, errorCode: string, errorMessage: string, errorId?: string,
   *   validationErrors?: ValidationError[], originalError?: unknown }} what
   */
  constructor({ errorType, errorCode, errorMessage, errorId, validationErrors, originalError }) {
    super(errorMessage);
    this.name = "KlarnaError";
    /** `ACCESS_ERROR`, `INPUT_ERROR`, `RESOURCE_ERROR`, `TECHNICAL_ERROR`. */
    this.errorType = errorType;
    this.errorCode = errorCode;
    this.errorMessage = errorMessage;
    this.errorId = errorId ?? randomId();
    this.validationErrors = validationErrors;
    this.originalError = originalError;
  }
}

/** An error of a payment's way. */
export class PaymentError extends KlarnaError {
  /** @param {ConstructorParameters<typeof KlarnaError>[0]} what */
  constructor(what) {
    super(what);
    this.name = "PaymentError";
  }
}

/** An error of something that is shown. */
export class WidgetError extends KlarnaError {
  /** @param {ConstructorParameters<typeof KlarnaError>[0]} what */
  constructor(what) {
    super(what);
    this.name = "WidgetError";
  }
}

/**
 * What the page did wrong.
 * @param {string} errorMessage
 * @param {string} [errorCode]
 */
export const misuse = (errorMessage, errorCode = "VALIDATION_ERROR") =>
  new PaymentError({ errorType: "INPUT_ERROR", errorCode, errorMessage });

/**
 * Any thrown value as an error of ours.
 * @param {unknown} thrown
 * @returns {KlarnaError}
 */
export function asError(thrown) {
  if (thrown instanceof KlarnaError) return thrown;
  const errorMessage = thrown instanceof Error ? thrown.message : String(thrown);
  return new PaymentError({
    errorType: "TECHNICAL_ERROR",
    errorCode: "CALLBACK_FAILED",
    errorMessage,
    originalError: thrown,
  });
}

/**
 * Speaks to whoever builds the page.
 * @param {"error" | "warn" | "info"} level
 * @param {string} message
 * @param {...unknown} details
 */
export function say(level, message, ...details) {
  console[level](`[Web SDK] ${message}`, ...details);
}

/** @type {Set<string>} */
const said = new Set();

/**
 * The same, once for each message.
 * @param {"warn" | "info"} level
 * @param {string} message
 */
export function sayOnce(level, message) {
  if (!said.has(message)) say(level, message);
  said.add(message);
}

/** @param {number} [bytes] */
export function randomId(bytes = 16) {
  const drawn = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(drawn, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {any} value
 * @param {(key: string) => string} rename
 * @returns {any}
 */
function respelled(value, rename) {
  if (Array.isArray(value)) return value.map((each) => respelled(each, rename));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [rename(key), respelled(each, rename)]));
}

/**
 * `paymentOptionId` to `payment_option_id`, however deep; what is spelled so already stays.
 * @param {any} value
 */
export const toSnake = (value) => respelled(value, (key) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));

/**
 * The other way.
 * @param {any} value
 */
export const toCamel = (value) => respelled(value, (key) => key.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()));

/**
 * The first of several spellings that is there.
 * @param {Json | undefined | null} object
 * @param {...string} names
 */
export function either(object, ...names) {
  for (const name of names) if (object?.[name] !== undefined && object[name] !== null) return object[name];
  return undefined;
}

/** Handlers by event. Several may stand at one; a handler that throws disturbs no other. */
export class Emitter {
  /** @type {Map<string, Set<Function>>} */
  #handlers = new Map();
  /** @type {string[]} */
  #known;
  /** @type {string} */
  #what;

  /**
   * @param {string} what Whose events, for messages.
   * @param {string[]} known
   */
  constructor(what, known) {
    [this.#what, this.#known] = [what, known];
  }

  /**
   * @param {string} name
   * @param {Function} handler
   */
  on(name, handler) {
    if (!this.#known.includes(name)) {
      say("warn", `${this.#what}.on("${name}"): there is no such event; there are ${this.#known.join(", ")}.`);
    }
    if (typeof handler !== "function") throw misuse(`${this.#what}.on("${name}") takes a function.`);
    const handlers = this.#handlers.get(name) ?? new Set();
    this.#handlers.set(name, handlers.add(handler));
    this.onFirst?.(name);
  }

  /**
   * @param {string} name
   * @param {Function} [handler] All of them if it is left out.
   */
  off(name, handler) {
    if (handler) this.#handlers.get(name)?.delete(handler);
    else this.#handlers.delete(name);
  }

  /** @param {string} name */
  has(name) {
    return (this.#handlers.get(name)?.size ?? 0) > 0;
  }

  /**
   * Calls every handler, waits for all of them, and returns what they returned.
   * @param {string} name
   * @param {...unknown} args
   * @returns {Promise<unknown[]>}
   */
  async emit(name, ...args) {
    const calls = [...(this.#handlers.get(name) ?? [])].map(async (handler) => handler(...args));
    const ends = await Promise.allSettled(calls);
    for (const end of ends) {
      if (end.status === "rejected") say("error", `A handler of "${name}" failed.`, end.reason);
    }
    return ends.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
  }

  /**
   * Told when a handler was registered.
   * @type {((name: string) => void) | undefined}
   */
  onFirst;
}

/**
 * What `KlarnaSDK()` and `Klarna.init()` take; anything else is passed over.
 * @typedef {{ clientId: string, partnerAccountId?: string, accountId?: string, locale?: string, products?: string[],
 *   sdkToken?: string, klarnaNetworkSessionToken?: string, interoperabilityToken?: string, acquiringConfig?: Json,
 *   integrator?: Json, originators?: Json[] }} Configuration
 */

/** What all parts of one instance share: who it is, its session, its words, and the way to the network end. */
export class Session {
  /** @type {Configuration} */
  config;
  /** @type {string} */
  #token = "";
  /** @type {Record<string, Promise<Json>>} */
  #words = {};
  /** Fires `tokenupdate`. */
  events = new Emitter("Network.Session", ["tokenupdate"]);
  /** Fires `tokenupdate` for the older module, too: a text that also answers to `interoperabilityToken`. */
  olderEvents = new Emitter("Interoperability", ["tokenupdate"]);

  /** @param {Configuration} config */
  constructor(config) {
    this.config = { ...config };
    this.config.partnerAccountId ??= config.accountId;
    this.config.locale ??= navigator.language;
  }

  /** Begins: the network end says whether this client id may be used here, and gives a token. */
  async open() {
    const { klarnaNetworkSessionToken, interoperabilityToken, sdkToken, locale } = this.config;
    const given = klarnaNetworkSessionToken ?? interoperabilityToken;
    const token = given ?? keep.read(`session:${this.config.clientId}`);
    this.#token = typeof token === "string" ? token : "";
    const body = { locale, sdk_token: sdkToken };
    const opened = await this.call("POST", "/sessions", { body });
    if (given && !opened.resumed) {
      say("warn", "The session token in the configuration is unknown, spent or expired: the customer counts as a stranger.");
    }
    // A token that the page brought is the page's to judge.
    this.#take(given ?? opened.klarna_network_session_token);
    this.#words[opened.words.locale] = this.#words[locale ?? ""] = Promise.resolve(opened.words);
  }

  token() {
    return this.#token;
  }

  /** @param {string | undefined} token */
  update(token) {
    if (!token || token === this.#token) return;
    this.#take(token);
    this.events.emit("tokenupdate", token);
    this.olderEvents.emit("tokenupdate", Object.assign(new String(token), { interoperabilityToken: token }));
  }

  /** @param {string} token */
  #take(token) {
    this.#token = token;
    keep.write(`session:${this.config.clientId}`, token);
  }

  /**
   * The texts of buttons and of the curtain.
   * @param {string} [locale]
   * @returns {Promise<Json>}
   */
  words(locale = this.config.locale ?? "en") {
    return (this.#words[locale] ??= this.call("GET", "/words", { query: { locale } }));
  }

  /**
   * Calls the network end.
   * @param {"GET" | "POST" | "DELETE"} method
   * @param {string} path
   * @param {{ query?: Json, body?: Json }} [what]
   * @returns {Promise<any>} `undefined` where there is nothing to say.
   * @throws {KlarnaError}
   */
  async call(method, path, { query = {}, body } = {}) {
    const url = new URL(`${NETWORK}/websdk${path}`);
    url.searchParams.set("client_id", this.config.clientId);
    if (this.config.partnerAccountId) url.searchParams.set("partner_account_id", this.config.partnerAccountId);
    for (const [name, value] of Object.entries(query)) {
      for (const each of Array.isArray(value) ? value : [value]) {
        if (each !== undefined && each !== null) url.searchParams.append(name, String(each));
      }
    }
    /** @type {Record<string, string>} */
    const headers = {};
    if (body) headers["content-type"] = "application/json";
    if (this.#token) headers["klarna-network-session-token"] = this.#token;
    /** @type {Response} */
    let answer;
    try {
      answer = await fetch(url, {
        method,
        headers,
        body: body && JSON.stringify(body),
        credentials: "omit",
        cache: "no-store",
      });
    } catch (originalError) {
      const { origin } = url;
      throw new KlarnaError({
        errorType: "TECHNICAL_ERROR",
        errorCode: "NETWORK_ERROR",
        errorMessage: `${origin} cannot be reached. Is it running, and does this page's content-security-policy name it in connect-src?`,
        originalError,
      });
    }
    if (answer.status === 204) return undefined;
    const said = await answer.json().catch(() => ({}));
    if (answer.ok) return said;
    const faults = /** @type {ValidationError[]} */ (said.validation_errors ?? []);
    const named = faults.map(({ parameter, reason }) => ` ${parameter} ${reason}.`).join("");
    throw new PaymentError({
      errorId: said.error_id,
      errorType: { 400: "INPUT_ERROR", 401: "ACCESS_ERROR", 403: "ACCESS_ERROR", 404: "RESOURCE_ERROR", 409: "RESOURCE_ERROR" }[answer.status] ?? "TECHNICAL_ERROR",
      errorCode: said.error_code ?? "INTERNAL_ERROR",
      errorMessage: `${said.error_message ?? `the network end answered ${answer.status}`}${named}`,
      validationErrors: faults,
    });
  }
}

/** What outlives a page of this tab; a browser that keeps nothing only loses the way back. */
export const keep = {
  /** @param {string} name */
  read(name) {
    try {
      return JSON.parse(sessionStorage.getItem(`websdk:${name}`) ?? "null");
    } catch {
      return null;
    }
  },
  /**
   * @param {string} name
   * @param {unknown} value
   */
  write(name, value) {
    try {
      sessionStorage.setItem(`websdk:${name}`, JSON.stringify(value));
    } catch {
      sayOnce("warn", "This browser keeps nothing for this page, so a payment by redirect will not be recognised on its return.");
    }
  },
};
