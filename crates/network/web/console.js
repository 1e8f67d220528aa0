// What the console's pages do better with script: copying, asking before what cannot be undone, times as distances, and a log that
// goes on by itself without moving what is being read.

const status = document.querySelector("[data-status]");

function say(text) {
  if (status) status.textContent = text;
}

// On a phone the rooms scroll sideways: the present one is brought into sight.
const rooms = document.querySelector(".console-nav");
const here = rooms?.querySelector("[aria-current]");
if (here) rooms.scrollLeft = here.offsetLeft - rooms.offsetLeft - (rooms.clientWidth - here.clientWidth) / 2;

document.addEventListener("click", async (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-copy]") : null;
  if (!button) return;
  const source = button.dataset.copyFrom ? document.getElementById(button.dataset.copyFrom)?.textContent : button.dataset.copy;
  try {
    await navigator.clipboard.writeText(source ?? "");
    say("Copied");
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 1200);
  } catch {
    say("The browser does not let this page copy");
  }
});

for (const button of document.querySelectorAll("[data-copy][hidden]")) button.hidden = false;

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.ask ?? event.target.dataset.ask;
  if (question && !confirm(question)) event.preventDefault();
});

// The log: new calls wait behind a button, unless the reader is at the top and follows.
const tail = document.querySelector("[data-tail]");
if (tail) {
  const body = tail.querySelector("tbody");
  const offer = document.querySelector("[data-tail-offer]");
  const follow = document.querySelector("[data-tail-follow]");
  const waiting = [];
  let last = tail.dataset.last ?? "";

  const show = () => {
    const empty = document.querySelector(".empty[data-tail-empty]");
    if (empty) empty.remove();
    tail.hidden = false;
    for (const row of waiting.splice(0)) {
      if (!document.getElementById(row.id)) body.prepend(row);
    }
    while (body.rows.length > 500) body.lastElementChild.remove();
    offer.hidden = true;
  };

  const reading = () => scrollY > 80 || body.contains(document.activeElement) || body.matches(":hover") || !getSelection().isCollapsed;

  offer.addEventListener("click", show);
  follow.closest("label").hidden = false;

  const listen = async () => {
    let pause = 0;
    for (;;) {
      if (document.hidden) {
        await new Promise((resume) => document.addEventListener("visibilitychange", resume, { once: true }));
        continue;
      }
      try {
        const query = new URLSearchParams(location.search);
        query.delete("starting_after");
        query.set("after", last);
        const answer = await fetch(`/console/requests/tail?${query}`, { headers: { accept: "text/html" } });
        if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
        pause = 0;
        last = answer.headers.get("x-last") || last;
        const template = document.createElement("template");
        template.innerHTML = `<table><tbody>${await answer.text()}</tbody></table>`;
        const rows = [...template.content.querySelectorAll("tr")];
        if (rows.length === 0) continue;
        waiting.push(...rows.reverse());
        if (waiting.length > 500) waiting.splice(0, waiting.length - 500);
        if (follow.checked && !reading()) {
          show();
        } else {
          offer.hidden = false;
          offer.textContent = waiting.length === 1 ? "1 new call: show it" : `${waiting.length} new calls: show them`;
        }
      } catch {
        pause = Math.min(pause * 2 + 1000, 15000);
        await new Promise((resume) => setTimeout(resume, pause));
      }
    }
  };
  listen();
}
