// The classic script: begins an instance by its own attributes, and calls the page back. The rest is in the module beside it.
(() => {
  const script = /** @type {HTMLScriptElement | null} */ (document.currentScript);
  const { clientId, locale, environment, partnerAccountId } = script?.dataset ?? {};
  const page = /** @type {any} */ (window);
  const isFirst = /** @type {string} */ ("{{generation}}") === "v1";
  /** @type {Promise<typeof import("./klarna.mjs")>} */
  const sdk = import(/** @type {any} */ ("{{network}}/web-sdk/v2/klarna.mjs"));
  sdk.catch((error) => console.error("[Web SDK] The module could not be loaded; does this page's content-security-policy name {{network}} in script-src?", error));

  const refresh = () => sdk.then(({ refreshPlacements }) => refreshPlacements());
  page.Klarna = Object.assign(page.Klarna ?? {}, {
    init: (/** @type {any} */ config) => sdk.then(({ init, KlarnaSDK }) => (isFirst ? init : KlarnaSDK)(config)),
    OnsiteMessaging: { refresh },
  });
  // An older way to ask for the same; what was pushed before the script came is asked now.
  page.KlarnaOnsiteService = { push: (/** @type {any} */ event) => event?.eventName === "refresh-placements" && refresh() };
  if (environment && !/^(playground|production|staging)$/.test(environment)) {
    console.warn(`[Web SDK] data-environment="${environment}" is neither playground nor production; it is passed over here.`);
  }
  if (!clientId) {
    const says = page.KlarnaSDKCallback || document.querySelector("klarna-placement") ? "error" : "info";
    return console[says]("[Web SDK] The script has no data-client-id, so nothing begins by itself: call Klarna.init({ clientId }).");
  }
  sdk
    .then(({ forPage }) => forPage({ clientId, locale, partnerAccountId }, isFirst))
    .then((klarna) => {
      Object.assign(page.Klarna, klarna);
      page.KlarnaSDKCallback?.(klarna);
    })
    // What went wrong was said already.
    .catch(() => {});
})();
