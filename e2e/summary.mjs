// The closing lines: what was measured, and `Browser: 12 passed, 0 failed`, in the form that people and machines look for.

/** Tests tell what they measured by annotations of this type. */
export const MEASURED = "measured";

export default class Summary {
  #counts = { expected: 0, unexpected: 0, flaky: 0, skipped: 0 };
  #suite;

  onBegin(_config, suite) {
    this.#suite = suite;
  }

  onEnd(result) {
    const tests = this.#suite?.allTests() ?? [];
    for (const test of tests) this.#counts[test.outcome()] += 1;
    const measured = tests.flatMap((test) => test.results.at(-1)?.annotations ?? []).filter(({ type }) => type === MEASURED);
    if (measured.length > 0) console.log(["\nMeasured:", ...measured.map(({ description }) => `  ${description}`)].join("\n"));
    const { expected, unexpected, flaky, skipped } = this.#counts;
    const left = skipped > 0 ? `, ${skipped} skipped` : "";
    if (result.status !== "passed") console.log(`\nThe browser tests did not pass: ${result.status}.`);
    if (flaky > 0) console.log(`\n${flaky} of the browser tests passed at the second try only: look at them.`);
    console.log(`\nBrowser: ${expected + flaky} passed, ${unexpected} failed${left}`);
  }

  printsToStdio() {
    return true;
  }
}
