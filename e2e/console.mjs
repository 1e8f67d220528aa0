// A network end with something in every room of its console, to be looked at. It is the test's own: nobody else's clock is moved.

import { createServer } from "node:http";

import { startNetwork } from "./network.mjs";

/** What an API of the network's end answers to a key. */
const caller = (base, key) => async (method, path, body, headers = {}) => {
  const answer = await fetch(base + path, {
    method,
    headers: { authorization: `Basic ${key}`, ...(body && { "content-type": "application/json" }), ...headers },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, body: text ? JSON.parse(text) : undefined };
};

/** Fails with what was answered, so that a page that stays empty is not taken for one that is fine. */
const must = (answer) => {
  if (answer.status >= 300) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
};

/**
 * Starts a network end and fills it: payments in several states, a dispute, a settlement, webhooks that arrive and that do not, a fault
 * rule, a refused call. Says where each page with something on it stands.
 */
export async function startFilled() {
  const receiver = createServer((request, response) => {
    request.resume();
    response.writeHead(request.url.startsWith("/refuse") ? 500 : 204).end();
  });
  await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  const hooks = `http://127.0.0.1:${receiver.address().port}`;
  const network = await startNetwork(["--local-webhooks", "--rate-limits", "off"]);
  const stop = async () => {
    await network.stop();
    receiver.closeAllConnections();
    await new Promise((resolve) => receiver.close(resolve));
  };
  try {
    return { ...network, ...(await fill(network, hooks)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function fill({ address, seeded }, hooks) {
  const base = `http://${address.trim()}`;
  const { acquiring_partner: provider, partner } = seeded;
  const call = caller(base, provider.api_key);
  const account = partner.account_id;
  const { signing_key_id } = must(await call("POST", "/v2/notification/signing-keys"));
  for (const url of [`${hooks}/take`, `${hooks}/refuse`]) {
    must(await call("POST", "/v2/notification/webhooks", { url, event_types: ["payment.*", "partner.*"], event_version: "v2", signing_key_id }));
  }

  const authorization = (reference, more = {}) => ({
    currency: "EUR",
    request_payment_transaction: { amount: 4990, payment_transaction_reference: reference },
    acquiring_config: { payment_account_id: partner.payment_account_id },
    supplementary_purchase_data: { line_items: [{ name: "Mug", quantity: 2, total_amount: 4990 }], purchase_reference: reference },
    ...more,
  });
  const step_up_config = (reference) => ({
    payment_request_reference: reference,
    customer_interaction_config: { method: "HANDOVER", return_url: "https://shop.example/return" },
  });
  const authorize = async (body, headers) => must(await call("POST", `/v2/accounts/${account}/payment/authorize`, body, headers));
  const ask = async (reference, more) => (await authorize(authorization(reference, { step_up_config: step_up_config(reference), ...more }))).payment_request.payment_request_id;
  const paid = async (reference, more) => {
    const request = await ask(reference, more);
    must(await call("POST", `/testing/payment-requests/${request}/complete`));
    const { state_context: context } = must(await call("GET", `/v2/accounts/${account}/payment/requests/${request}`));
    const made = await authorize(authorization(reference, more), { "klarna-network-session-token": context.klarna_network_session_token });
    return made.payment_transaction_response.payment_transaction.payment_transaction_id;
  };
  const gone = await ask("an-order-that-nobody-paid");
  must(await call("POST", `/testing/payment-requests/${await ask("declined-1")}/decline`));
  const transaction = await paid("paid-1");
  const capture = must(await call("POST", `/v2/accounts/${account}/payment/transactions/${transaction}/captures`, { capture_amount: 3000 }));
  must(await call("POST", `/v2/accounts/${account}/payment/transactions/${transaction}/refunds`, { refund_amount: 1000, payment_capture_id: capture.payment_capture_id }));
  const unfunded = await paid("not-guaranteed-1", { acquiring_config: { payment_account_id: partner.payment_account_id_non_guaranteed } });
  const dispute = must(await call("POST", `/testing/accounts/${account}/disputes`, { payment_capture_id: capture.payment_capture_id, reason: "INCORRECT_AMOUNT" }));
  must(await call("POST", "/testing/clock", { advance: "P2D" }));
  const settled = async () => must(await call("GET", "/v2/settlements")).settlements[0]?.settlement_id;
  let settlement;
  for (let looks = 0; looks < 200 && !settlement; looks += 1) {
    settlement = await settled();
    if (!settlement) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (!settlement) throw new Error("no day was settled");

  const open = await ask("an-order-that-nobody-has-paid-yet");
  const refused = await call("POST", `/v2/accounts/${account}/payment/authorize`, { ...authorization("x".repeat(300)), currency: "EURO", request_payment_transaction: { amount: -1 } });
  if (refused.status !== 400) throw new Error(`not refused: ${refused.status}`);
  await call("GET", "/v2/notification/nonesuch");
  must(await call("POST", "/testing/faults", { effect: "latency", delay_ms: 1, match: { operation: "listBrands" }, times: 3 }));
  must(await call("POST", "/testing/snapshots", { name: "before-the-refund" }));
  const log = async (query) => must(await call("GET", `/testing/requests?${query}`)).requests[0];
  const [theRefused, theCapture] = [await log("status=400&size=1"), await log("operation=capturePaymentTransaction&size=1")];
  const [delivery] = /\/console\/webhooks\/[^"?]+/.exec(await (await fetch(`${base}/console/webhooks`)).text());
  const link = async (roles) => must(await call("POST", `/v2/accounts/${account}/portal/deep-links`, { subject: "ada@nordlicht.example", roles, on_behalf_of: account })).url;

  const pages = {
    "front page": "/",
    overview: "/console",
    "sign-in": "/console/sign-in?next=/console/faults",
    requests: "/console/requests",
    "requests, none fits": "/console/requests?text=nonesuch&since=2026-01-01T00:00:00Z",
    "requests, a wrong filter": "/console/requests?since=yesterday",
    "a refused request": `/console/requests/${theRefused.call_id}`,
    "a request": `/console/requests/${theCapture.call_id}`,
    payments: "/console/payments",
    "an open Payment Request": `/console/payments/${open}`,
    "a Payment Request of yesterday": `/console/payments/${gone}`,
    "a Payment Transaction": `/console/payments/${transaction}`,
    "a transaction without its money": `/console/payments/${unfunded}`,
    disputes: "/console/disputes",
    "a dispute": `/console/disputes/${dispute.payment_dispute_id}`,
    settlements: "/console/settlements",
    "a settlement": `/console/settlements/${settlement}`,
    webhooks: "/console/webhooks",
    "a delivery": delivery,
    events: "/console/events",
    accounts: "/console/accounts",
    "a Partner": `/console/accounts/${account}`,
    "the Acquiring Partner": `/console/accounts/${provider.account_id}`,
    faults: "/console/faults",
    "clock and snapshots": "/console/snapshots",
    "nothing of this id": "/console/payments/krn:payment:eu1:request:0b9a1c52-6d0e-4c1e-8f2a-3a51c0c1f6de",
    reference: "/docs",
    "a section of the reference": "/docs/payments",
    "no page of the reference": "/docs/nonesuch",
    "a portal link that is over": "/portal/enter/nonesuch",
    "a bootstrap link that is over": "/bootstrap/nonesuch",
  };
  return { base, pages, link };
}
