// A Partner's page that loads the Web SDK: of another origin, served here, with a strict content-security-policy.

import { createServer } from "node:http";

import { test } from "./watch.mjs";

/** What the page runs: it begins an instance and keeps everything that it is told. */
const PAGE = `
const told = (window.told = []);
const keep = (name) => (...args) => { told.push([name, JSON.parse(JSON.stringify(args))]); return window.answers?.[name]?.(...args); };
const settings = JSON.parse(document.getElementById("settings").textContent);
const sdk = await import(settings.network + "/web-sdk/v2/klarna.mjs");
try {
  if (settings.twice) await sdk.KlarnaSDK({ clientId: settings.clientId });
  const klarna = (window.klarna = await sdk.KlarnaSDK({ clientId: settings.clientId, locale: "en-GB", environment: "playground", ...settings.config }));
  for (const name of ["complete", "abort", "error", "update"]) klarna.Payment.on(name, keep(name));
  klarna.Network.Session.on("tokenupdate", keep("tokenupdate"));
  klarna.Interoperability.on("tokenupdate", (token) => told.push(["older", [String(token), token.interoperabilityToken]]));
  for (const name of ["signin", "error"]) klarna.Identity.on(name, keep("identity:" + name));
  if (/[?&](code|error)=/.test(location.search)) await klarna.Identity.handleRedirect();
  window.ready = true;
} catch (error) {
  told.push(["refused", [{ errorCode: error.errorCode, errorType: error.errorType, errorMessage: error.errorMessage }]]);
}`;

/** A Partner's server: the page, its script, and nothing inline. */
export const shop = test.extend({
  shop: async ({ demo }, use) => {
    const pages = new Map();
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url, "http://shop");
      if (pathname === "/page.mjs") return response.writeHead(200, { "content-type": "text/javascript" }).end(PAGE);
      if (pathname === "/favicon.ico") return response.writeHead(200, { "content-type": "image/svg+xml" }).end('<svg xmlns="http://www.w3.org/2000/svg"/>');
      const { html, headers } = pages.get(pathname) ?? { html: "<!doctype html><title>Elsewhere</title>" };
      const network = demo.network;
      const policy =
        `default-src 'none'; script-src 'self' ${network}; connect-src 'self' ${network}; img-src 'self' ${network}; frame-src ${network}; ` +
        "style-src 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
      response.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-security-policy": policy, ...headers }).end(html);
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const origin = `http://127.0.0.1:${server.address().port}`;
    const settings = (more) => JSON.stringify({ network: demo.network, clientId: demo.clientId, ...more, config: { acquiringConfig: { paymentAccountId: demo.paymentAccountId }, ...more.config } });
    await use({
      origin,
      /** Puts a page at a path. */
      put: (path, html, headers) => pages.set(path, { html, headers }),
      /** A page with these containers, begun; `twice` puts an instance that nobody listens to before the one of the tests. */
      open: async (page, { config, clientId, path = "/checkout", twice = false } = {}) => {
        const more = { config, twice, ...(clientId && { clientId }) };
        pages.set(path, {
          html: `<!doctype html><html lang="en"><title>Checkout</title><script type="application/json" id="settings">${settings(more)}</script>
            <main><div id="icon"></div><div id="header"></div><div id="message"></div><div id="button"></div><div id="other"></div></main>
            <script type="module" src="/page.mjs"></script>`,
        });
        await page.goto(origin + path);
        await page.waitForFunction(() => window.ready || window.told?.length);
      },
    });
    await new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
  },
});

/** What the page was told under a name. A page that is being left, or has only just come back, has been told nothing yet. */
export const told = (page, name) =>
  page.evaluate((name) => (window.told ?? []).filter(([each]) => each === name).map(([, args]) => args), name).catch(() => []);
