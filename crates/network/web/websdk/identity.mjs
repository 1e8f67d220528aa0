// Identity: sign in at the network end, by OpenID Connect with a proof of possession of the code (PKCE).

import { Emitter, NETWORK, PaymentError, asError, keep, misuse, randomId, say, sayOnce } from "./core.mjs";
import { ButtonElement } from "./elements.mjs";

/** @typedef {import("./core.mjs").Json} Json */
/** @typedef {import("./core.mjs").Session} Session */
/** @typedef {{ state: string, verifier: string, redirectUri: string, market: string, isConfidential: boolean, isPopup: boolean, clientId: string }} Attempt */

const DEFAULT_SCOPE = "openid offline_access profile:name profile:email";
const CHANNEL = "websdk:identity";
const WINDOW = "websdk-identity";

/** @param {Uint8Array} bytes */
const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** @param {string | undefined} market */
const provider = (market) => `${NETWORK}/${/^(US|CA|MX)$/i.test(market ?? "") ? "na" : "eu"}/lp/idp`;

/** `klarna.Identity`. */
export class Identity {
  #session;
  #events = new Emitter("Identity", ["signin", "error", "tokenupdate"]);
  /** Looks whether the shopper closed the window. */
  #watch = 0;
  /** The state of the sign-in that this instance began: a page may have other instances, without its handlers. */
  #began = "";

  /** @param {Session} session */
  constructor(session) {
    this.#session = session;
    if (typeof BroadcastChannel === "undefined") return;
    // The window's page is one of this site: it tells what it was given.
    new BroadcastChannel(CHANNEL).addEventListener("message", ({ data }) => {
      const attempt = this.#attempt();
      const isMine = attempt?.state === data?.state && this.#began === attempt?.state;
      if (attempt?.isPopup && isMine) this.#take(attempt, data);
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

  /**
   * A button that signs in.
   * @param {Json} config `scope, redirectUri, theme, shape, logoAlignment, locale, interactionMode, market, clientType`
   */
  button(config) {
    if (!config?.redirectUri) say("error", "Identity.button() takes { redirectUri }, an address that is registered for this client id.");
    const intent = config?.intent === "SIGNUP" ? "SIGNUP" : "SIGNIN";
    const label = this.#session.words(config?.locale).then((words) => words.buttons[intent]);
    const button = Object.assign(new ButtonElement(config ?? {}, label), {
      /**
       * Signs in by an element of the page's own.
       * @param {string | HTMLElement} selector
       */
      attach: (selector) => {
        const element = typeof selector === "string" ? document.querySelector(selector) : selector;
        if (!element) throw misuse(`attach(${JSON.stringify(selector)}): there is no such element.`);
        attached?.removeEventListener("click", start);
        (attached = element).addEventListener("click", start);
        return button;
      },
      detach: () => {
        attached?.removeEventListener("click", start);
        attached = undefined;
        return button;
      },
    });
    /** @type {Element | undefined} */
    let attached;
    const start = () => void this.#start(config ?? {});
    button.onPress = start;
    return button;
  }

  /**
   * In a window beside the page, as long as nobody asks otherwise and the device has windows; else in place of it.
   * @param {Json} config
   */
  async #start({ redirectUri = window.location.href.split(/[?#]/)[0], scope = DEFAULT_SCOPE, market, clientType, interactionMode, locale }) {
    const isPopup = /^(POPUP|ON_PAGE)$/.test(interactionMode) || (interactionMode !== "REDIRECT" && !/Mobi/i.test(navigator.userAgent));
    /** @type {Attempt} */
    const attempt = {
      state: randomId(),
      verifier: randomId(32),
      redirectUri,
      market,
      isConfidential: clientType === "CONFIDENTIAL",
      isPopup,
      clientId: this.#session.config.clientId,
    };
    // A window takes what is kept here with it when it is opened, and it is opened before anything is awaited.
    keep.write("identity", attempt);
    this.#began = attempt.state;
    const popup = isPopup ? window.open(`${NETWORK}/websdk/opening`, WINDOW, "popup,width=480,height=760") : null;
    if (isPopup && !popup) {
      sayOnce("info", "The browser blocked the window of the sign-in: it goes on in place of this page.");
      keep.write("identity", { ...attempt, isPopup: false });
    }
    const url = new URL(`${provider(market)}/oauth2/auth`);
    /** @type {Record<string, string | undefined>} */
    const query = {
      client_id: attempt.clientId,
      redirect_uri: redirectUri,
      response_type: "code",
      scope,
      state: attempt.state,
      nonce: randomId(),
      ui_locales: locale ?? this.#session.config.locale,
      market,
    };
    if (!attempt.isConfidential) {
      if (!crypto.subtle) {
        popup?.close();
        return this.#fail(misuse("Sign-in needs a secure context: https, or localhost."));
      }
      const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(attempt.verifier));
      Object.assign(query, { code_challenge: base64url(new Uint8Array(digest)), code_challenge_method: "S256" });
    }
    for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
    if (!popup) return window.location.assign(url);
    popup.location.replace(url.href);
    window.clearInterval(this.#watch);
    this.#watch = window.setInterval(() => {
      if (!popup.closed) return;
      window.clearInterval(this.#watch);
      // An answer that is on its way comes first.
      window.setTimeout(() => {
        if (this.#attempt()?.state !== attempt.state) return;
        this.clearLoginState();
        this.#fail(new PaymentError({ errorType: "ACCESS_ERROR", errorCode: "ACCESS_DENIED", errorMessage: "The shopper closed the window." }));
      }, 500);
    }, 500);
  }

  /** @returns {Attempt | null} */
  #attempt() {
    const attempt = keep.read("identity");
    return attempt?.clientId === this.#session.config.clientId ? attempt : null;
  }

  /** On the page of the redirectUri: takes the answer of the sign-in out of the address. */
  async handleRedirect() {
    const here = new URL(window.location.href);
    const answer = Object.fromEntries(here.searchParams);
    if (!answer.code && !answer.error) {
      return say("warn", "Identity.handleRedirect() found neither code nor error in this page's address.");
    }
    const attempt = this.#attempt();
    if (!attempt || attempt.state !== answer.state) {
      return this.#fail(misuse("This answer belongs to no sign-in that began in this tab (its state is unknown)."));
    }
    if (attempt.isPopup && (window.opener || window.name === WINDOW)) {
      new BroadcastChannel(CHANNEL).postMessage(answer);
      return window.close();
    }
    for (const name of ["code", "state", "error", "error_description", "iss", "scope"]) here.searchParams.delete(name);
    window.history.replaceState(window.history.state, "", here);
    await this.#take(attempt, answer);
  }

  /**
   * @param {Attempt} attempt
   * @param {Json} answer
   */
  async #take(attempt, answer) {
    this.clearLoginState();
    try {
      if (answer.error) {
        throw new PaymentError({ errorType: "ACCESS_ERROR", errorCode: String(answer.error).toUpperCase(), errorMessage: answer.error_description ?? `The sign-in ended with ${answer.error}.` });
      }
      // Whoever has a secret exchanges the code where the secret is.
      if (attempt.isConfidential) return void (await this.#events.emit("signin", { code: answer.code, state: answer.state, redirectUri: attempt.redirectUri }));
      const response = await fetch(`${provider(attempt.market)}/oauth2/token`, {
        method: "POST",
        credentials: "omit",
        body: new URLSearchParams({
          grant_type: "authorization_code",
          client_id: attempt.clientId,
          code: answer.code,
          code_verifier: attempt.verifier,
          redirect_uri: attempt.redirectUri,
        }),
      });
      const tokens = await response.json();
      if (!response.ok) throw misuse(tokens.error_description ?? tokens.error ?? `The exchange of the code answered ${response.status}.`, "SIGN_IN_FAILED");
      this.#session.update(tokens.klarna_network_session_token);
      await this.#events.emit("signin", {
        code: answer.code,
        idToken: tokens.id_token,
        accessToken: tokens.access_token,
        refreshToken: tokens.refresh_token,
        tokenType: tokens.token_type,
        expiresIn: tokens.expires_in,
        scope: tokens.scope,
      });
    } catch (thrown) {
      await this.#fail(asError(thrown));
    }
  }

  /** @param {import("./core.mjs").KlarnaError} error */
  async #fail(error) {
    // Changing one's mind is no fault of the page's.
    say(error.errorCode === "ACCESS_DENIED" ? "info" : "error", `The sign-in failed: ${error.errorMessage}`);
    await this.#events.emit("error", error);
  }

  /** Forgets a sign-in that is under way. */
  clearLoginState() {
    keep.write("identity", null);
  }
}
