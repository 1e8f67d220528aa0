// The closing line, in the form that people and machines look for: `Browser: 12 passed, 0 failed`.

export default class Summary {
  #counts = { expected: 0, unexpected: 0, flaky: 0, skipped: 0 };
  #suite;

  onBegin(_config, suite) {
    this.#suite = suite;
  }

  onEnd(result) {
    for (const test of this.#suite?.allTests() ?? []) this.#counts[test.outcome()] += 1;
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
