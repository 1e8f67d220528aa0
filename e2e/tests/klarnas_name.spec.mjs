// A page that was written for Klarna, unchanged: it loads the Web SDK from js.klarna.com, which a browser is told to find at the network
// end. Nothing leaves this machine, and only that one certificate is trusted.

import { createServer } from "node:http";
import { request as httpsRequest } from "node:https";

import { startUnderName } from "../network.mjs";
import { expect, test as base, watch } from "../watch.mjs";
import { walkToReview } from "../walk.mjs";

const NAME = "js.klarna.com";

/** What Klarna's documentation has a page do; only the client identifier is ours. */
const page = ({ client_id: clientId, payment_account_id: paymentAccountId }) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>A shop</title>
    <link rel="icon" href="data:,">
    <script src="https://${NAME}/web-sdk/v1/klarna.js" data-client-id="${clientId}" data-environment="playground" data-locale="en-DE" async></script>
  </head>
  <body>
    <h1>A lamp</h1>
    <klarna-placement data-key="credit-promotion-badge" data-locale="en-DE" data-purchase-amount="12990"></klarna-placement>
    <div id="klarna"></div>
    <script type="module">
      const { KlarnaSDK } = await import("https://${NAME}/web-sdk/v2/klarna.mjs");
      const klarna = await KlarnaSDK({ clientId: "${clientId}", locale: "en-DE", acquiringConfig: { paymentAccountId: "${paymentAccountId}" } });
      const { paymentOption } = await klarna.Payment.presentation({ amount: 12990, currency: "EUR", locale: "en-DE", intents: ["PAY"] });
      klarna.Payment.on("complete", (paymentRequest) => { window.completed = paymentRequest; return false; });
      paymentOption.paymentButton.component({ initiate: () => ({ currency: "EUR", amount: 12990 }), initiationMode: "REDIRECT" }).mount("#klarna");
    </script>
  </body>
</html>`;

const test = base.extend({
  // One network end for all tests here.
  network: [
    async ({}, use) => {
      const network = await startUnderName(NAME);
      await use(network);
      await network.stop();
    },
    { scope: "worker", timeout: 90_000 },
  ],

  /** The page's address, on a server that is nobody's but its Partner's. */
  shop: async ({ network }, use) => {
    const server = createServer((_, response) => {
      const policy = `default-src 'none'; script-src 'unsafe-inline' https://${NAME}; connect-src https://${NAME}; img-src data: https://${NAME}`;
      response.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-security-policy": policy }).end(page(network.seeded.partner));
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    await use(`http://127.0.0.1:${server.address().port}/`);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  },

  /** A browser that finds Klarna's name here, and trusts this certificate for it. */
  visitor: async ({ playwright, network }, use, { project }) => {
    const { launchOptions, viewport, isMobile, hasTouch } = project.use;
    const rules = `--host-resolver-rules=MAP ${NAME}:443 ${network.address}`;
    const pin = `--ignore-certificate-errors-spki-list=${network.pin}`;
    const browser = await playwright.chromium.launch({ ...launchOptions, args: [...launchOptions.args, rules, pin] });
    const context = await browser.newContext({ viewport, isMobile, hasTouch, locale: "en-GB" });
    const complaints = watch(context, [NAME]);
    await use(await context.newPage());
    expect(complaints).toEqual([]);
    await browser.close();
  },
});

/** The Partner's provider, who authorizes with what the page got: trusting the development authority, as any client would. */
function authorize({ address, authority, seeded }, token) {
  const { account_id: account, payment_account_id } = seeded.partner;
  const [host, port] = address.split(":");
  const options = {
    host,
    port,
    servername: NAME,
    ca: authority,
    method: "POST",
    path: `/v2/accounts/${account}/payment/authorize`,
    headers: {
      authorization: `Basic ${seeded.acquiring_partner.api_key}`,
      "content-type": "application/json",
      "klarna-network-session-token": token,
    },
  };
  const body = { currency: "EUR", request_payment_transaction: { amount: 12990, payment_transaction_reference: "lamp-1" }, acquiring_config: { payment_account_id } };
  return new Promise((resolve, reject) => {
    const call = httpsRequest(options, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part) => (text += part)).on("end", () => resolve({ status: answer.statusCode, body: JSON.parse(text) }));
    });
    call.on("error", reject).end(JSON.stringify(body));
  });
}

test("a page for Klarna pays at the network end without a change, under Klarna's own name", async ({ visitor, network, shop }) => {
  await visitor.goto(shop);
  await expect(visitor.locator("klarna-placement")).toContainText("Pay in 3");
  await visitor.locator("#klarna").getByRole("button").click();
  await visitor.waitForURL(new RegExp(`^https://${NAME}/eu/requests/`));
  await walkToReview(visitor);
  await visitor.getByTestId("confirm").click();
  await visitor.waitForURL(shop);
  await visitor.waitForFunction(() => window.completed);
  const { state, stateContext } = await visitor.evaluate(() => window.completed);
  expect(state).toBe("COMPLETED");
  const { status, body } = await authorize(network, stateContext.klarnaNetworkSessionToken);
  expect(status, JSON.stringify(body)).toBe(200);
  expect(body.payment_transaction_response).toMatchObject({ result: "APPROVED", payment_transaction: { amount: 12990, state: "AUTHORIZED" } });
});

test("another certificate under that name is not trusted", async ({ playwright, network, shop }, { project }) => {
  const { launchOptions } = project.use;
  const rules = `--host-resolver-rules=MAP ${NAME}:443 ${network.address}`;
  const browser = await playwright.chromium.launch({ ...launchOptions, args: [...launchOptions.args, rules] });
  const visitor = await browser.newPage();
  const refused = visitor.waitForEvent("requestfailed", (request) => request.url().startsWith(`https://${NAME}/`));
  await visitor.goto(shop);
  expect((await refused).failure().errorText).toContain("ERR_CERT_AUTHORITY_INVALID");
  await browser.close();
});
