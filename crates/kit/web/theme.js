// The switch between light, dark, and whatever the system says.
//
// Any empty <button type="button" data-theme-switch hidden> becomes one: it is shown only where this module runs, and
// its label names the choice in force, in English or in the words of data-theme-words="automatic|light|dark". The choice is
// kept per origin; where storage is refused, it lasts for the page.

const KEY = "kontor-theme";
const CHOICES = ["automatic", "light", "dark"];
const ENGLISH = "Theme: automatic|Theme: light|Theme: dark";
const root = document.documentElement;

function stored() {
  try {
    const choice = localStorage.getItem(KEY);
    return CHOICES.includes(choice) ? choice : "automatic";
  } catch {
    return "automatic";
  }
}

function keep(choice) {
  try {
    if (choice === "automatic") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, choice);
  } catch {
    // Storage may be switched off; the page still changes.
  }
}

function show(choice) {
  if (choice === "automatic") delete root.dataset.theme;
  else root.dataset.theme = choice;
  for (const button of document.querySelectorAll("button[data-theme-switch]")) {
    button.dataset.themeSwitch = choice;
    const words = (button.dataset.themeWords ?? ENGLISH).split("|");
    button.title = words[CHOICES.indexOf(choice)];
    button.setAttribute("aria-label", button.title);
    button.hidden = false;
  }
}

let current = stored();
show(current);
if (document.readyState === "loading") {
  document.addEventListener("DOMContentLoaded", () => show(current));
}

document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element) || !event.target.closest("button[data-theme-switch]")) return;
  current = CHOICES[(CHOICES.indexOf(current) + 1) % CHOICES.length];
  keep(current);
  show(current);
});

// Another tab of the same origin has switched.
addEventListener("storage", (event) => {
  if (event.key !== null && event.key !== KEY) return;
  current = stored();
  show(current);
});
