// What axe finds on a page: nothing serious may be among it.

import AxeBuilder from "@axe-core/playwright";

import { expect } from "./watch.mjs";

/** Looks at the page as it is now; `where` names it in the report. */
export async function expectNothingSerious(page, where) {
  const { violations, passes } = await new AxeBuilder({ page }).setLegacyMode().analyze();
  expect(passes.length, `${where}: axe looked at nothing`).toBeGreaterThan(0);
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = grave.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join("; ")}`);
  expect.soft(told, where).toEqual([]);
}
