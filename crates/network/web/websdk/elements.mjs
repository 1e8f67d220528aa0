// What is shown: small elements with a shadow, so that no page's style reaches in by accident. Everything is made by the DOM, and
// styled by constructed sheets: a page may forbid inline styles and scripts.

import { WidgetError, say } from "./core.mjs";

/** @type {Record<string, string>} */
const SHEETS = {
  part: `
:host { display: inline; font: inherit; color: inherit }
:host([hidden]) { display: none }
:host([data-part="icon"]) { display: inline-flex; vertical-align: middle }
img { display: block; height: 1.5em; width: auto }
img[data-shape="square"] { height: 2em }
img[data-shape="rectangle"] { height: 2em }
.badge { border: 1px solid currentColor; border-radius: 4px; padding: 0 .4em; font-size: .8em }
a { color: inherit; text-underline-offset: .15em }
a:focus-visible { outline: 2px solid currentColor; outline-offset: 2px }`,
  button: `
:host { display: block; min-width: 160px }
:host([hidden]) { display: none }
button { --back: #17202e; --ink: #fff; --edge: #5b6573; --over: #2c3850;
  box-sizing: border-box; position: relative; display: flex; align-items: center; justify-content: center; gap: 8px; width: 100%;
  min-height: 48px; padding: 8px 20px; border: 1px solid var(--edge); border-radius: 6px; background: var(--back); color: var(--ink);
  font: 500 16px/1.3 system-ui, sans-serif; cursor: pointer; text-align: center; -webkit-tap-highlight-color: transparent }
button[data-theme="light"] { --back: #fff; --ink: #17202e; --edge: #fff; --over: #eef0ee }
button[data-theme="outlined"] { --back: transparent; --ink: #17202e; --edge: #17202e; --over: #17202e14 }
@media (prefers-color-scheme: dark) {
  button[data-theme="outlined"][data-scheme="auto"] { --ink: #e8eaed; --edge: #e8eaed; --over: #e8eaed1f }
}
button[data-shape="pill"] { border-radius: 999px }
button[data-shape="rect"] { border-radius: 0 }
button[data-align="left"] .mark { position: absolute; inset-inline-start: 16px }
button[data-align="left"] { padding-inline: 48px }
button:hover:not([aria-disabled="true"]) { background: var(--over) }
button:focus-visible { outline: 3px solid #1f6f63; outline-offset: 2px; box-shadow: 0 0 0 2px #fff }
button[aria-disabled="true"] { cursor: not-allowed }
button[data-state="disabled"] { opacity: .5 }
.mark { flex: none; width: 22px; height: 22px }
.spinner { display: none; width: 20px; height: 20px; border: 2px solid currentColor; border-inline-start-color: transparent;
  border-radius: 50%; animation: turn .9s linear infinite }
button[data-state="loading"] .spinner { display: block }
button[data-state="loading"] .mark { display: none }
@keyframes turn { to { transform: rotate(1turn) } }
@media (prefers-reduced-motion: reduce) { .spinner { animation-duration: 4s } }
@media (forced-colors: active) { button { border-color: ButtonText } }`,
  curtain: `
:host { position: fixed; inset: 0; z-index: 2147483647; display: grid; place-items: center; padding: 16px; box-sizing: border-box;
  background: #12161cd9; color: #e8eaed; font: 16px/1.5 system-ui, sans-serif }
:host([hidden]) { display: none }
section { max-width: 26rem; text-align: center }
h2 { margin: 0 0 8px; font-size: 20px; line-height: 1.3 }
p { margin: 0 0 20px }
.mark { width: 40px; height: 40px; margin-block-end: 12px; color: #5cc2af }
.row { display: flex; flex-wrap: wrap; gap: 12px; justify-content: center }
button { min-height: 44px; padding: 8px 20px; border: 1px solid #e8eaed; border-radius: 6px; background: none; color: inherit; font: inherit; cursor: pointer }
button.main { background: #5cc2af; border-color: #5cc2af; color: #12161c; font-weight: 600 }
button:focus-visible, iframe:focus-visible { outline: 3px solid #fff; outline-offset: 2px }
:host([data-full]) { padding: 0; place-items: stretch; background: #fbfaf7 }
:host([data-full]) section { display: none }
iframe { border: 0; width: 100%; height: 100% }`,
  message: `
:host { display: block; --ink: #17202e; --line: #e3e0d8; --back: transparent; --link: #1f6f63 }
:host([hidden]) { display: none }
:host([data-theme="dark"]) { --ink: #e8eaed; --line: #2a313b; --link: #5cc2af }
:host([data-theme="light"]) { --back: #fff }
:host([data-theme="outlined"]) .box { border: 1px solid var(--line); padding: 8px 12px }
.box { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 10px; border-radius: 6px; background: var(--back); color: var(--ink); font: 14px/1.5 system-ui, sans-serif }
.box[data-kind="top-strip"] { justify-content: center; padding: 8px 12px; border-block-end: 1px solid var(--line); border-radius: 0 }
.box[data-kind="homepage"], .box[data-kind="sidebar"], .box[data-kind="info-page"] { border: 1px solid var(--line); padding: 16px }
.box[data-shape="tall"], .box[data-kind="sidebar"] { flex-direction: column; align-items: flex-start }
.box[data-kind="homepage"] [part="osm-message"] { font-size: 18px }
.box img { height: 20px; width: auto; display: block }
a { color: var(--link); text-underline-offset: .15em; white-space: nowrap }
a:focus-visible { outline: 2px solid currentColor; outline-offset: 2px }`,
};

/** @type {Record<string, CSSStyleSheet>} */
const made = {};

/** @param {string} name */
function sheet(name) {
  if (!made[name]) {
    made[name] = new CSSStyleSheet();
    made[name].replaceSync(SHEETS[name]);
  }
  return made[name];
}

// Registered once per page, whatever imports this how often: a tag with a shadow, and no behaviour that a second copy could miss.
const TAGS = ["network-part", "network-button", "network-curtain", "network-placement"];
for (const tag of TAGS) {
  if (!customElements.get(tag)) customElements.define(tag, class extends HTMLElement {});
}

/**
 * A host with its shadow.
 * @param {string} tag
 * @param {string} style
 * @returns {{ host: HTMLElement, root: ShadowRoot }}
 */
export function shadowed(tag, style) {
  const host = document.createElement(tag);
  return { host, root: shadowOf(host, style) };
}

/**
 * @param {HTMLElement} host
 * @param {string} style
 */
export function shadowOf(host, style) {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [sheet(style)];
  return root;
}

/**
 * An element of the shadow.
 * @param {string} tag
 * @param {Record<string, string | undefined>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Our mark, a square with a door: drawn, so that no image policy of the page hides it. */
export function mark() {
  const SVG = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 24 24", class: "mark", "aria-hidden": "true" })) svg.setAttribute(name, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("fill", "currentColor");
  path.setAttribute("d", "M5 2h14a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-4V11a3 3 0 0 0-6 0v11H5a3 3 0 0 1-3-3V5a3 3 0 0 1 3-3z");
  svg.append(path);
  return svg;
}

/**
 * A link that leads out of the page; only to the web.
 * @param {string} text
 * @param {string | undefined} href
 * @param {Record<string, string>} [attributes]
 */
export function link(text, href, attributes = {}) {
  if (!href || !/^https?:/i.test(href)) return make("span", attributes, text);
  return make("a", { ...attributes, href, target: "_blank", rel: "noopener" }, text);
}

/** Something that a page can put somewhere and take away again, as often as it likes. */
export class UiElement {
  /**
   * @param {HTMLElement} htmlElement
   * @param {string} [id]
   */
  constructor(htmlElement, id) {
    this.htmlElement = htmlElement;
    this.id = id;
    if (id) htmlElement.id = id;
  }

  /**
   * @param {string | HTMLElement} container A selector, or the element itself.
   * @returns {this}
   */
  mount(container) {
    const found = typeof container === "string" ? document.querySelector(container) : container;
    if (!(found instanceof Element) && !(/** @type {any} */ (found) instanceof DocumentFragment)) {
      const errorMessage = `mount(${JSON.stringify(container)}): there is no such element on the page (yet). Mount after it was added.`;
      say("error", errorMessage);
      throw new WidgetError({ errorType: "INPUT_ERROR", errorCode: "CONTAINER_NOT_FOUND", errorMessage });
    }
    found.append(this.htmlElement);
    return this;
  }

  /** @returns {this} */
  unmount() {
    this.htmlElement.remove();
    return this;
  }
}

/**
 * A text that says one thing, or parts of text and links.
 * @param {string} name
 * @param {Json | undefined} described
 * @returns {Json | undefined}
 * @typedef {import("./core.mjs").Json} Json
 */
export function textPart(name, described) {
  if (!described) return undefined;
  const { text, parts } = described;
  return {
    text,
    ...(parts && { parts }),
    /** @param {Json} [config] */
    component: (config) => {
      const { host, root } = shadowed("network-part", "part");
      host.dataset.part = name;
      const runs = parts?.length ? parts : [{ type: "TEXT", text }];
      for (const run of runs) root.append(run.type === "LINK" ? link(run.text, run.url) : (run.text ?? ""));
      if (name === "badge") root.replaceChildren(make("span", { class: "badge" }, text ?? ""));
      return new UiElement(host, config?.id);
    },
  };
}

/**
 * A text with a link behind it.
 * @param {string} name
 * @param {Json | undefined} described
 */
export function linkedPart(name, described) {
  if (!described) return undefined;
  const { text, link: to } = described;
  const parts = [{ type: "TEXT", text: `${text} ` }, ...(to ? [{ type: "LINK", text: to.link_text, url: to.href }] : [])];
  return { ...textPart(name, { text, parts }), link: to && { href: to.href, linkText: to.link_text } };
}

/**
 * The pictures of an option.
 * @param {Json | undefined} icon
 */
export function iconPart(icon) {
  if (!icon) return undefined;
  const { alt, badge_image_url: badge, rectangle_image_url: rectangle, square_image_url: square } = icon;
  return {
    alt,
    badgeImageUrl: badge,
    rectangleImageUrl: rectangle,
    squareImageUrl: square,
    /** @param {{ shape?: string, id?: string }} [config] */
    component: (config) => {
      const { host, root } = shadowed("network-part", "part");
      host.dataset.part = "icon";
      const shape = config?.shape ?? "default";
      const src = { rectangle, square }[shape] ?? badge;
      root.append(make("img", { src, alt: alt ?? "", "data-shape": shape, part: "icon" }));
      return new UiElement(host, config?.id);
    },
  };
}

/**
 * @typedef {{ id?: string, disabled?: boolean, loading?: boolean, locale?: string, theme?: string, shape?: string,
 *   logoAlignment?: string, alignment?: string, text?: string }} ButtonLook
 */

/** A button in our neutral dress. */
export class ButtonElement extends UiElement {
  /** @type {Map<string, Set<Function>>} */
  #handlers = new Map();
  #button;
  #label;
  #states = { disabled: false, loading: false };
  #rendered = false;

  /**
   * @param {ButtonLook} look
   * @param {Promise<string> | string} label
   */
  constructor(look, label) {
    const { host, root } = shadowed("network-button", "button");
    super(host, look.id);
    this.#label = make("span", { part: "text" });
    this.#button = make("button", { type: "button", part: "button" }, mark(), this.#label, make("span", { class: "spinner", "aria-hidden": "true" }));
    this.#dress(look);
    root.append(this.#button);
    this.toggleState("disabled", Boolean(look.disabled)).toggleState("loading", Boolean(look.loading));
    // In the same turn as the click: only then may a window be opened.
    this.#button.addEventListener("click", (event) => {
      if (this.#states.disabled || this.#states.loading) return event.stopImmediatePropagation();
      this.onPress?.();
      this.emit("click");
    });
    this.label(label);
  }

  /**
   * What a press does, beside what the page wants told.
   * @type {(() => void) | undefined}
   */
  onPress;

  /** @param {ButtonLook} look */
  #dress({ theme = "default", shape = "default", logoAlignment, alignment, locale }) {
    const align = logoAlignment ?? alignment ?? "default";
    const known = { theme: ["default", "light", "dark", "outlined", "auto"], shape: ["default", "pill", "rect"], align: ["default", "left", "center", "right"] };
    for (const [name, value] of Object.entries({ theme, shape, align })) {
      const choices = known[/** @type {"theme" | "shape" | "align"} */ (name)];
      if (!choices.includes(value)) say("warn", `A button's ${name} "${value}" is none of ${choices.join(", ")}.`);
    }
    Object.assign(this.#button.dataset, { theme: theme === "auto" ? "outlined" : theme, shape, align, ...(theme === "auto" && { scheme: "auto" }) });
    if (locale) this.#button.lang = locale;
  }

  /** @param {Promise<string> | string} text */
  async label(text) {
    try {
      this.#label.textContent = await text;
    } catch (error) {
      say("error", "The texts of a button could not be read.", error);
      this.#label.textContent = "Klarna";
    }
  }

  /** @param {string | HTMLElement} container */
  mount(container) {
    super.mount(container);
    if (!this.#rendered) queueMicrotask(() => this.emit("render"));
    this.#rendered = true;
    return this;
  }

  unmount() {
    this.#rendered = false;
    return super.unmount();
  }

  /**
   * @param {"disabled" | "loading"} state
   * @param {boolean} [value] The other one, if it is left out.
   * @returns {this}
   */
  toggleState(state, value) {
    if (!(state in this.#states)) {
      say("warn", `toggleState("${state}"): a button is "disabled" or "loading".`);
      return this;
    }
    this.#states[state] = value ?? !this.#states[state];
    const { disabled, loading } = this.#states;
    // Not the attribute `disabled`: a button that is busy keeps the keyboard's focus.
    this.#button.setAttribute("aria-disabled", String(disabled || loading));
    this.#button.setAttribute("aria-busy", String(loading));
    this.#button.dataset.state = loading ? "loading" : disabled ? "disabled" : "ready";
    return this;
  }

  /**
   * @param {string} name `click`, `render`, `ready`
   * @param {Function} handler
   * @returns {this}
   */
  on(name, handler) {
    const handlers = this.#handlers.get(name) ?? new Set();
    this.#handlers.set(name, handlers.add(handler));
    if ((name === "ready" || name === "render") && this.#rendered) queueMicrotask(() => handler(this));
    return this;
  }

  /**
   * @param {string} name
   * @param {Function} [handler]
   * @returns {this}
   */
  off(name, handler) {
    if (handler) this.#handlers.get(name)?.delete(handler);
    else this.#handlers.delete(name);
    return this;
  }

  /** @param {string} name */
  emit(name) {
    const names = name === "render" ? ["render", "ready"] : [name];
    for (const handler of names.flatMap((each) => [...(this.#handlers.get(each) ?? [])])) {
      try {
        handler(...(this.passes?.() ?? [this]));
      } catch (error) {
        say("error", `A handler of a button's "${name}" failed.`, error);
      }
    }
  }

  /**
   * What handlers are called with, if not the button.
   * @type {(() => unknown[]) | undefined}
   */
  passes;
}

/**
 * What lies over the page while a window, or a frame, has the shopper's attention.
 * @param {Json} words
 * @param {{ onFocus: () => void, onCancel: () => void, blocked?: boolean }} does
 */
export function curtain(words, { onFocus, onCancel, blocked }) {
  const { host, root } = shadowed("network-curtain", "curtain");
  const [title, text] = blocked ? [words.blocked_title, words.blocked_text] : [words.curtain_title, words.curtain_text];
  const main = make("button", { type: "button", class: "main", "data-testid": "curtain-continue" }, words.curtain_continue);
  const cancel = make("button", { type: "button", "data-testid": "curtain-cancel" }, words.curtain_cancel);
  main.addEventListener("click", onFocus);
  cancel.addEventListener("click", onCancel);
  root.append(make("section", { role: "dialog", "aria-modal": "true", "aria-labelledby": "t", "aria-describedby": "d" },
    mark(), make("h2", { id: "t" }, title), make("p", { id: "d" }, text), make("div", { class: "row" }, main, cancel)));
  root.addEventListener("keydown", (event) => {
    const key = /** @type {KeyboardEvent} */ (event).key;
    if (key === "Escape") onCancel();
    // Two buttons: the focus goes round between them.
    if (key === "Tab") {
      event.preventDefault();
      (root.activeElement === main ? cancel : main).focus();
    }
  });
  const before = document.activeElement;
  document.documentElement.append(host);
  if (blocked) main.focus();
  return {
    host,
    root,
    close() {
      host.remove();
      if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    },
  };
}

