// The `test` of this suite: every test also fails on what the browser complains about, on a file that did not come, and on a
// request that leaves this machine.

import { test as base, expect } from "@playwright/test";

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);
/** What no server answers. */
const LOCAL_SCHEMES = new Set(["about:", "blob:", "data:"]);
const FAILED_LOAD = /^Failed to load resource: the server responded with a status of \d+/;

/** Collects the complaints of a context and of all its pages. `names` are found on this machine, too: the browser was told so. */
export function watch(context, names = []) {
  const complaints = [];
  const refusedPages = new Set();
  const complain = (kind, text) => complaints.push(`${kind}: ${text}`);

  context.on("request", (request) => {
    const url = new URL(request.url());
    if (!LOCAL_SCHEMES.has(url.protocol) && !LOOPBACK.has(url.hostname) && !names.includes(url.hostname)) complain("request to elsewhere", url.href);
  });
  context.on("response", (response) => {
    const [status, kind] = [response.status(), response.request().resourceType()];
    const text = `${status} for the ${kind} ${response.url()}`;
    if (status >= 500) complain("server error", text);
    else if (kind === "document") {
      // A form that is refused answers 422 with its page: the test looks at the page.
      if (status >= 400) refusedPages.add(response.url());
    } else if (status < 200 || status >= 300) complain("missing file", text);
  });
  context.on("requestfailed", (request) => {
    const why = request.failure()?.errorText ?? "unknown";
    // A page that is left while it loads.
    if (why !== "net::ERR_ABORTED") complain("failed request", `${why} for ${request.url()}`);
  });
  context.on("console", (message) => {
    const place = message.location()?.url ?? "";
    if (FAILED_LOAD.test(message.text()) && refusedPages.has(place)) return;
    // Violations of the Content Security Policy arrive here, too.
    if (["error", "warning"].includes(message.type())) complain(`console ${message.type()}`, `${message.text()} (${place})`);
  });
  context.on("weberror", (error) => complain("script", error.error().stack ?? String(error.error())));
  return complaints;
}

export const test = base.extend({
  /** Where the demo's ends are, and the Partner's key. */
  demo: async ({}, use) => use(JSON.parse(process.env.KONTOR_E2E_DEMO)),

  complaints: [
    async ({ context }, use) => {
      const complaints = watch(context);
      await use(complaints);
      expect(complaints, "what the browser complained about").toEqual([]);
    },
    { auto: true },
  ],

  /** Asks the gateway as the Partner's server does. */
  gateway: async ({ demo, playwright }, use) => {
    const api = await playwright.request.newContext({
      baseURL: demo.gateway,
      extraHTTPHeaders: { authorization: `Bearer ${demo.apiKey}` },
    });
    await use({
      async payment(id) {
        const answer = await api.get(`/v1/payments/${id}`);
        expect(answer.status()).toBe(200);
        return answer.json();
      },
      async paymentsOf(reference) {
        const answer = await api.get("/v1/payments", { params: { reference } });
        expect(answer.status()).toBe(200);
        return (await answer.json()).payments;
      },
      async events(id) {
        const answer = await api.get("/v1/events", { params: { payment_id: id, order: "asc", size: "100" } });
        expect(answer.status()).toBe(200);
        return (await answer.json()).events.map((event) => event.type);
      },
    });
    await api.dispose();
  },
});

export { expect };
