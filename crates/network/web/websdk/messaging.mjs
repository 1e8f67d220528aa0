// Messaging: a line on the pages before the checkout, by placement.

import { asError, misuse, say } from "./core.mjs";
import { UiElement, link, make, shadowOf } from "./elements.mjs";

/** @typedef {import("./core.mjs").Json} Json */
/** @typedef {import("./core.mjs").Session} Session */

const KINDS = ["credit-promotion", "top-strip", "homepage", "sidebar", "footer", "info-page", "checkout"];

/** One message, wherever it stands; it follows `data-key`, `data-amount`, `data-locale` and `data-theme` of its element. */
export class PlacementElement extends UiElement {
  #session;
  /** @type {string | undefined} */
  #asked;
  #watcher;

  /**
   * @param {Session} session
   * @param {Json} config
   * @param {HTMLElement} [host] An element of the page that becomes the placement.
   */
  constructor(session, config, host) {
    super(host ?? document.createElement("network-placement"), config.id);
    this.#session = session;
    this.prefix = config.messagePrefix;
    this.#describe(config);
    this.#watcher = new MutationObserver(() => this.refresh());
    this.#watcher.observe(this.htmlElement, { attributes: true, attributeFilter: ["data-key", "data-amount", "data-purchase-amount", "data-locale", "data-theme"] });
  }

  /** @param {Json} config */
  #describe({ key, amount, purchaseAmount, locale, theme, currency }) {
    const told = { key, amount: amount ?? purchaseAmount, locale, theme, currency };
    for (const [name, value] of Object.entries(told)) {
      if (value !== undefined && value !== null) this.htmlElement.dataset[name] = String(value);
    }
  }

  /** @param {string | HTMLElement} container */
  mount(container) {
    super.mount(container);
    this.refresh();
    return this;
  }

  /**
   * @param {{ amount?: number, purchaseAmount?: number, locale?: string, theme?: string, key?: string }} change
   * @returns {this}
   */
  update(change) {
    this.#describe(change);
    this.refresh();
    return this;
  }

  /** Asks for the words and shows them; again only if something changed, or `isForced`. @param {boolean} [isForced] */
  async refresh(isForced = false) {
    const { key, amount, purchaseAmount, currency, locale = this.#session.config.locale } = this.htmlElement.dataset;
    const wanted = JSON.stringify([key, amount ?? purchaseAmount, currency, locale]);
    if (!isForced && wanted === this.#asked) return;
    this.#asked = wanted;
    try {
      if (!key) throw misuse("A placement has a key, such as credit-promotion-badge.");
      const query = { locale, currency, amount: amount ?? purchaseAmount };
      const message = await this.#session.call("GET", `/messaging/${encodeURIComponent(key)}`, { query });
      // Somebody asked again meanwhile.
      if (wanted === this.#asked) this.#show(key, message);
    } catch (error) {
      say("error", `The placement "${key ?? ""}" shows nothing: ${asError(error).errorMessage}`, error);
      if (wanted === this.#asked) this.#show(key ?? "", undefined);
    }
  }

  /**
   * @param {string} key
   * @param {Json | undefined} message
   */
  #show(key, message) {
    const root = shadowOf(this.htmlElement, "message");
    this.htmlElement.hidden = !message;
    if (!message) return root.replaceChildren();
    /** @type {Json[]} */
    const nodes = message.content?.nodes ?? [];
    const text = nodes.find((node) => node.name === "TEXT_MAIN")?.value ?? "";
    const action = nodes.find((node) => node.type === "ACTION");
    const picture = nodes.find((node) => node.type === "IMAGE");
    const kind = KINDS.find((each) => key.startsWith(each)) ?? "credit-promotion";
    const isHeading = ["homepage", "sidebar", "info-page"].includes(kind);
    const words = make("span", { part: isHeading ? "osm-message osm-heading" : "osm-message" }, this.prefix ? `${this.prefix} ` : "", text);
    const box = make("div", { class: "box", part: "osm-container", "data-kind": kind, "data-shape": key.split("-").at(-1) });
    if (picture?.url) box.append(make("span", { part: picture.name === "KLARNA_BADGE" ? "osm-badge" : "osm-logo" }, make("img", { src: picture.url, alt: picture.alt ?? "" })));
    box.append(words);
    if (action) box.append(make("span", { part: "osm-cta" }, link(action.label, action.url, { part: "osm-link" })));
    const legal = message.legal?.text;
    if (legal) box.append(make("small", { part: "osm-legal" }, legal));
    root.replaceChildren(box);
  }

  unmount() {
    this.#asked = undefined;
    return super.unmount();
  }
}

/** `klarna.Messaging`. */
export class Messaging {
  #session;

  /** @param {Session} session */
  constructor(session) {
    this.#session = session;
  }

  /** @param {Json} config */
  placement(config) {
    if (!config?.key) say("error", "Messaging.placement() takes { key }, such as credit-promotion-badge.");
    return new PlacementElement(this.#session, config ?? {});
  }
}

/** The tags that pages write themselves, upgraded for one instance. @type {WeakMap<HTMLElement, PlacementElement>} */
const upgraded = new WeakMap();
/** @type {Session | undefined} */
let pageSession;

/** @param {HTMLElement} element */
function upgrade(element) {
  if (!pageSession) return;
  const known = upgraded.get(element);
  if (known) return known.refresh();
  const placement = new PlacementElement(pageSession, {}, element);
  upgraded.set(element, placement);
  placement.refresh();
}

/**
 * `<klarna-placement data-key data-locale data-theme data-purchase-amount>` on the page of the classic script.
 * @param {Session} session
 */
export function upgradePlacements(session) {
  pageSession ??= session;
  if (!customElements.get("klarna-placement")) {
    customElements.define(
      "klarna-placement",
      class extends HTMLElement {
        connectedCallback() {
          upgrade(this);
        }
      },
    );
  }
  refreshPlacements();
}

/** `Klarna.OnsiteMessaging.refresh()`. */
export function refreshPlacements() {
  for (const element of document.querySelectorAll("klarna-placement")) {
    const known = upgraded.get(/** @type {HTMLElement} */ (element));
    if (known) known.refresh(true);
    else upgrade(/** @type {HTMLElement} */ (element));
  }
}
