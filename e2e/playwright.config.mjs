// How the browser tests run. `cargo xtask test` sets everything up; by hand:
// KONTOR_TEST_BINARY=target/debug/kontor KONTOR_TEST_CHROMIUM=/usr/bin/chromium npx playwright test

import { fileURLToPath } from "node:url";

import { defineConfig } from "@playwright/test";

const MEASURES = /measures\.spec/;
const target = fileURLToPath(new URL("../target/e2e/", import.meta.url));

export default defineConfig({
  testDir: "tests",
  outputDir: `${target}results`,
  globalSetup: "./demo.mjs",
  reporter: [["list"], ["./summary.mjs"]],
  fullyParallel: true,
  // One demo and two browsers: more would only wait for each other on a small machine.
  workers: 2,
  // Once more, and told as flaky by name: windows and redirects race with a busy machine, but so does a fault of ours.
  retries: 1,
  forbidOnly: Boolean(process.env.CI),
  timeout: 60_000,
  expect: { timeout: 15_000 },
  use: {
    browserName: "chromium",
    headless: true,
    locale: "en-GB",
    timezoneId: "UTC",
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env.KONTOR_TEST_CHROMIUM || undefined,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  projects: [
    { name: "desktop", use: { viewport: { width: 1280, height: 800 } }, testIgnore: MEASURES },
    {
      name: "phone",
      use: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
      // Colours are the same on both; what axe finds by the layout, it finds in the light.
      grepInvert: /in dark colours/,
      testIgnore: MEASURES,
    },
    // How large and how fast; the closing lines show it.
    { name: "measures", use: { viewport: { width: 1280, height: 800 } }, testMatch: MEASURES },
  ],
});
