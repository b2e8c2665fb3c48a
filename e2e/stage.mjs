// What the story stands on: a browser that is watched closely, and ways to wait for states.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** How long a state is waited for, in milliseconds. The machine may be busy; a state that comes late is no fault. */
export const PATIENCE = 60_000;

export const env = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; the story is started by crates/landfall/tests/browser.rs`);
  return value;
};

export function ensure(condition, say) {
  if (!condition) throw new Error(say);
}

export function equal(seen, wanted, say) {
  ensure(Object.is(seen, wanted), `${say}: ${JSON.stringify(seen)} in place of ${JSON.stringify(wanted)}`);
}

/** Asks again until the answer is true; the last answer or error is told when patience ends. */
export async function until(what, ask, patience = PATIENCE) {
  const end = Date.now() + patience;
  let last;
  for (;;) {
    try {
      last = await ask();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`it never came to this: ${what}; last: ${last}`);
    await new Promise((go) => setTimeout(go, 100));
  }
}

const began = Date.now();

/** A chapter of the story, with the time that it began. */
export function chapter(title) {
  console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s  ${title}`);
}

/** A receiver of webhooks on loopback. It keeps what came, in order. */
export async function receiver() {
  const got = [];
  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      got.push({ headers: request.headers, body: Buffer.concat(parts).toString("utf8") });
      response.writeHead(204).end();
    });
  });
  await new Promise((go) => server.listen(0, "127.0.0.1", go));
  return { url: `http://127.0.0.1:${server.address().port}/hook`, got, close: () => server.close() };
}

function executable() {
  const named = process.env.LANDFALL_CHROMIUM;
  if (named) return named;
  const found = ["chromium", "chromium-browser", "google-chrome"]
    .map((name) => spawnSync("which", [name], { encoding: "utf8" }).stdout.trim())
    .find(Boolean);
  ensure(found, "there is no Chromium; run scripts/setup test");
  return found;
}

/** A browser that reaches nothing but loopback, and a folder for what it sees. */
export class Stage {
  constructor(browser, base) {
    this.browser = browser;
    this.base = base;
    this.faults = [];
    this.looked = new Set();
    const kept = process.env.LANDFALL_SCREENSHOTS;
    if (kept) mkdirSync(kept, { recursive: true });
    this.folder = kept || mkdtempSync(join(tmpdir(), "landfall-screenshots-"));
    console.log(`screenshots: ${this.folder}`);
  }

  static async up(base) {
    const browser = await chromium.launch({
      executablePath: executable(),
      headless: true,
      args: [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
      ],
    });
    return new Stage(browser, base);
  }

  /** A fresh profile with one page. Every error on its console, and every request to somebody else, is a fault. */
  async person(options = {}) {
    const context = await this.browser.newContext({
      baseURL: this.base, viewport: { width: 1280, height: 900 }, colorScheme: "light", reducedMotion: "reduce",
      ...options,
    });
    context.setDefaultTimeout(PATIENCE);
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    if (options.javaScriptEnabled !== false) {
      await context.addInitScript(() => {
        document.addEventListener("securitypolicyviolation", (event) => {
          console.error(`policy: ${event.violatedDirective} forbids ${event.blockedURI} at ${event.sourceFile}`);
        });
      });
    }
    const page = await context.newPage();
    this.watch(page);
    return page;
  }

  watch(page) {
    // Statuses that a chapter provokes on purpose; the browser notes them on its console, too.
    page.expected = new Set();
    const fault = (say) => this.faults.push(`${page.url()}: ${say}`);
    page.on("console", (message) => {
      const text = message.text();
      const status = /status of (\d+)/.exec(text)?.[1];
      if (["error", "warning"].includes(message.type()) && !page.expected.has(Number(status))) {
        fault(`console ${message.type()}: ${text}`);
      }
    });
    page.on("pageerror", (error) => fault(`uncaught: ${error}`));
    page.on("request", (request) => {
      if (!request.url().startsWith(`${this.base}/`)) fault(`a request to somebody else: ${request.url()}`);
    });
    page.on("response", (response) => {
      if (response.status() >= 400 && !page.expected.has(response.status())) {
        fault(`${response.request().method()} ${response.url()} gave ${response.status()}`);
      }
    });
  }

  async shot(page, name, full = true) {
    await page.screenshot({ path: join(this.folder, `${name}.png`), fullPage: full });
  }

  /**
   * Looks at a page as people with different eyes and screens do: light and dark, wide and narrow. Rules are asked twice, for
   * the wide light page and for the narrow dark one, so that each look and each layout is judged once.
   */
  async look(page, name) {
    ensure(!this.looked.has(name), `${name} was looked at before`);
    this.looked.add(name);
    await this.shot(page, `${name}-light`);
    await this.axe(page, `${name}, light`);
    await page.emulateMedia({ colorScheme: "dark" });
    await this.shot(page, `${name}-dark`);
    await page.setViewportSize({ width: 390, height: 844 });
    const wide = await page.evaluate(() => {
      const limit = document.documentElement.clientWidth;
      if (document.documentElement.scrollWidth <= limit) return [];
      return [...document.body.querySelectorAll("*")]
        .filter((e) => e.getBoundingClientRect().right > limit + 1)
        .map((e) => `${e.tagName.toLowerCase()}.${e.className?.baseVal ?? e.className}`)
        .slice(0, 8);
    });
    await this.shot(page, `${name}-phone`);
    if (wide.length) this.faults.push(`${name}: wider than a phone: ${wide.join(", ")}`);
    await this.axe(page, `${name}, dark, phone`);
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize({ width: 1280, height: 900 });
  }

  async axe(page, where) {
    if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
    const found = await page.evaluate(async () => {
      const { violations } = await window.axe.run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"], resultTypes: ["violations"],
      });
      return violations.map((v) => `${v.id} (${v.impact}): ${v.help}: ${v.nodes.slice(0, 4).map((n) => `${n.html.slice(0, 200)} ${n.failureSummary ?? ""}`).join(" | ")}`);
    });
    for (const violation of found) this.faults.push(`axe, ${where}: ${violation}`);
  }

  /** Moves with the Tab key alone until something has the focus, and checks that it can be seen there. */
  async reach(page, target, most = 80) {
    await page.evaluate(() => document.activeElement?.blur());
    for (let i = 0; i < most; i += 1) {
      await page.keyboard.press("Tab");
      const there = await target.evaluate((element) => element === document.activeElement);
      if (there) {
        const seen = await target.evaluate((element) => {
          const style = getComputedStyle(element);
          return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
        });
        ensure(seen, `the focus on ${target} cannot be seen`);
        return;
      }
    }
    throw new Error(`${target} cannot be reached by the keyboard`);
  }

  async down() {
    await this.browser.close();
    ensure(this.faults.length === 0, `${this.faults.length} faults:\n  ${[...new Set(this.faults)].join("\n  ")}`);
  }
}
