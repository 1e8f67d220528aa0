// Keeps an order's page true while it is open: what the Partner's people do behind the counter, and what Klarna says, shows without a
// reload. Each part of the page has a version; a part that has another one on the server is put in place of the old. Nothing moves:
// parts stand where they stood, what happened is added at the end, and a form that somebody is at is left alone.

const EVERY_MS = 1500;

/** @param {ParentNode} root */
const parts = (root) => /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-live]"));

async function look() {
  const here = new URL(location.href);
  // What the desk has just said is said once.
  here.searchParams.delete("did");
  here.pathname = "/order";
  if (!here.searchParams.has("payment_id")) {
    const id = document.querySelector("[data-testid=payment-id]")?.textContent;
    if (!id) return;
    here.searchParams.set("payment_id", id);
  }
  const answer = await fetch(here, { headers: { accept: "text/html" } });
  if (!answer.ok) return;
  const now = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of parts(document)) {
    const other = now.querySelector(`[data-live="${part.dataset.live}"]`);
    if (!(other instanceof HTMLElement) || other.dataset.version === part.dataset.version) continue;
    if (part.contains(document.activeElement)) continue;
    part.replaceWith(document.adoptNode(other));
  }
}

async function keepLooking() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    // A page that nobody sees asks nothing; a network that is away for a moment is asked again.
    if (!document.hidden) await look().catch(() => {});
  }
}

if (parts(document).length > 0) keepLooking();
