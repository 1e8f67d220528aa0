// Countries by their names, in the page's language and the order of its alphabet. Without a script they stay codes.

const language = document.documentElement.lang;
const names = new Intl.DisplayNames([language], { type: "region" });

for (const select of /** @type {NodeListOf<HTMLSelectElement>} */ (document.querySelectorAll("select[name=country]"))) {
  const chosen = select.value;
  for (const option of select.options) option.text = names.of(option.value) ?? option.value;
  select.append(...[...select.options].sort((one, other) => one.text.localeCompare(other.text, language)));
  select.value = chosen;
}
