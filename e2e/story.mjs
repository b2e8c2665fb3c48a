// The story of one outage, as a person lives it: first run, a broken target and its cause, a repair, a monitor, a break,
// the incident that says why, the acknowledgement, the repair, and what the public saw of it.

import { createHmac } from "node:crypto";
import { PATIENCE, Stage, chapter, ensure, env, equal, receiver, until } from "./stage.mjs";

const base = env("STORY_URL");
const target = new URL("/health", env("STORY_TARGET")).href;
const origin = env("STORY_ORIGIN");
const person = { email: "ines@example.com", password: "a sentence is good enough" };

async function world(word) {
  const answer = await fetch(`${env("STORY_CONTROL")}/${word}`);
  equal(answer.status, 204, `the world becomes ${word}`);
}

const stage = await Stage.up(base);
const hook = await receiver();
const page = await stage.person();
// The steps of an audit are gone by its end, which may come before a question from here is answered: the page itself remembers.
await page.addInitScript(() => {
  new MutationObserver(() => {
    if (document.querySelector("#progress li")) sessionStorage.setItem("stepped", location.pathname);
  }).observe(document, { childList: true, subtree: true });
});
const heading = (name) => page.getByRole("heading", { name, exact: true, level: 1 });
const button = (name, within = page) => within.getByRole("button", { name, exact: true });
const link = (name, within = page) => within.getByRole("link", { name, exact: true });
const main = page.locator("main");
const state = (word, within = main) => within.locator(".state", { hasText: word }).first();
const messages = () => hook.got.map(({ body }) => JSON.parse(body));

async function press(name, within) {
  await button(name, within).click();
}

/** Waits until the page shows it by itself: nothing here loads the page again. */
async function shows(locator, what) {
  await locator.waitFor({ state: "visible", timeout: PATIENCE }).catch((error) => {
    throw new Error(`${page.url()} never showed ${what}`, { cause: error });
  });
}

async function signIn(on, password = person.password) {
  await on.getByLabel("E-mail").fill(person.email);
  await on.getByLabel("Password").fill(password);
  await on.getByRole("button", { name: "Sign in" }).click();
}

/** The live report of an audit from its first step to its result, with what is to be done in between: the steps are gone by the end. */
async function audited(meanwhile = async () => {}) {
  await page.waitForURL("**/reports/*");
  await shows(page.locator("#progress li, #verdict").first(), "a step of the audit or its result");
  await meanwhile();
  await shows(page.locator("#verdict"), "the result of the audit");
  // However short the time was that the page showed it.
  const stepped = await page.evaluate(() => sessionStorage.getItem("stepped"));
  equal(stepped, new URL(page.url()).pathname, "the report on which a step of the audit was shown");
}

async function firstRun() {
  chapter("the first run");
  await page.goto("/");
  await shows(page.getByText("no account yet"), "that there is no account yet");
  await page.goto(env("STORY_FIRST_RUN"));
  await stage.look(page, "first-run");
  await page.getByLabel("Organisation").fill("Levqor");
  await page.getByLabel("Your name").fill("Ines");
  await page.getByLabel("E-mail").fill(person.email);
  await page.getByLabel("Password").fill(person.password);
  await stage.reach(page, button("Create the account"));
  await page.keyboard.press("Enter");
  await shows(page.getByRole("heading", { name: "Add your first target" }), "where to begin");
  await stage.look(page, "overview-empty");

  chapter("out and in again");
  await press("Sign out", page.locator(".side"));
  await shows(heading("Sign in"), "the form to sign in");
  await stage.look(page, "sign-in");
  page.expected.add(422);
  await signIn(page, "not the sentence at all");
  await shows(page.getByRole("alert"), "that the password is wrong");
  await stage.look(page, "sign-in-refused");
  page.expected.clear();
  await signIn(page);
  await shows(heading("Overview"), "the overview");
}

async function firstAudit() {
  chapter("the first target is broken");
  await world("broken");
  const url = page.getByLabel("Production URL");
  await stage.reach(page, url);
  await page.keyboard.type(target);
  await stage.reach(page, button("Audit now"));
  await page.keyboard.press("Enter");
  await audited(() => stage.shot(page, "report-in-progress"));
  await shows(state("Not live"), "that the target is not live");
  await shows(page.getByRole("heading", { name: "Cause" }), "a cause");
  const why = await page.locator("section[aria-labelledby=causes]").innerText();
  // Without the platform's own name nobody can tell the two apart, and the report must say so.
  ensure(why.includes("never-deployed") && why.includes("domain-not-attached"), `the causes are:\n${why}`);
  await stage.look(page, "report-not-live");
  const whole = await page.request.get(`${page.url()}/full`);
  equal(whole.status(), 200, "the whole report");
  ensure(whole.headers()["content-security-policy"].includes("sandbox"), "the whole report stands in a sandbox");
  for (const format of ["json", "markdown"]) {
    const file = await page.request.get(`${page.url()}/download/${format}`);
    ensure(file.headers()["content-disposition"].includes("attachment"), `${format} is a download`);
  }

  chapter("it is repaired, and audited again");
  await world("repaired");
  await press("Audit again");
  await until("another report", () => page.locator("#progress").isVisible());
  await audited();
  await shows(state("Live"), "that the target is live");
  await stage.look(page, "report-live");
}

async function firstMonitor() {
  chapter("a monitor out of the report");
  await link("Change the details first").click();
  await shows(heading("New monitor"), "the form");
  equal(await page.getByLabel("URL (needed)").inputValue(), target, "the URL of the report");
  await page.getByLabel("Name (needed)").fill("Levqor API");
  await page.getByLabel("Interval (s)").fill("10");
  await page.getByLabel("Down after failures in a row").fill("2");
  await page.getByLabel("Up after successes in a row").fill("1");
  await page.getByLabel("Interval while failing (s)").fill("5");
  await page.locator("summary", { hasText: "Labels, dependencies" }).click();
  await page.getByLabel("The platform's own name").fill(origin);
  await page.getByLabel("Endpoints that matter").fill("GET /health core\nGET /api/support/health");
  await page.getByLabel("Show it on public status pages").check();
  await stage.look(page, "monitor-new");
  await press("Start watching");
  await shows(heading("Levqor API"), "the monitor");
  await shows(state("Up"), "that it is up, by itself");
  await shows(page.locator("#chart").getByRole("img"), "the latency");
  await stage.look(page, "monitor-up");
  return page.url();
}

async function channel() {
  chapter("a channel");
  await page.goto("/channels");
  await link("New channel").click();
  await page.getByLabel("Name (needed)").fill("Our hook");
  await page.getByLabel("URL (needed)").fill(hook.url);
  await page.getByLabel("Signing secret").fill("the secret of the hook");
  await page.getByLabel("Use this channel").check();
  await stage.look(page, "channel-new");
  await press("Create");
  await shows(heading("Our hook"), "the channel");
  await press("Send a test");
  await until("the test arrives", () => hook.got.length > 0);
  const [{ headers, body }] = hook.got;
  const [, at, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers["landfall-signature"]);
  const wanted = createHmac("sha256", "the secret of the hook").update(`${at}.${body}`).digest("hex");
  equal(signature, wanted, "the signature of the test");
  equal(JSON.parse(body).event, "test", "the event of the test");
  await shows(state("Delivers"), "that the channel delivers");
  ensure(!(await page.content()).includes("the secret of the hook"), "the secret is not shown again");
  await stage.look(page, "channel");
}

async function statusPage() {
  chapter("a status page");
  await page.goto("/status-pages");
  await page.getByLabel("Title (needed)").fill("Levqor status");
  await page.getByLabel("Name in the URL (needed)").fill("levqor");
  await page.getByLabel("A few words").fill("How our services are.");
  await page.getByLabel("Published").check();
  await stage.look(page, "status-pages");
  await press("Create");
  await shows(heading("Levqor status"), "the status page's page");
  await stage.look(page, "status-page-settings");
}

/** What the public sees, in a browser of its own that knows nobody. */
async function publicly(stranger, sentence, word, name, monitor) {
  await until(`the status page says ${sentence}`, async () => {
    await stranger.goto("/status/levqor");
    return (await stranger.locator(".banner").innerText()).includes(sentence);
  });
  if (name) await stage.look(stranger, name);
  const feed = await stranger.request.get("/status/levqor/rss");
  ensure((await feed.text()).includes("<rss"), "the feed is RSS");
  const json = await stranger.request.get("/status/levqor/json");
  equal(json.status(), 200, "the status as JSON");
  const id = monitor.split("/").pop();
  // What the public reads is kept for some seconds, each part by itself.
  const shields = await until(`the badge says ${word}`, async () => {
    const answer = await (await stranger.request.get(`/badge/${id}/shields.json`)).json();
    return answer.message === word && answer;
  });
  const badge = await stranger.request.get(`/badge/${id}.svg`);
  equal(badge.status(), 200, "the badge");
  const picture = await badge.text();
  ensure(picture.includes(`>${word}<`) && picture.includes("Levqor API"), `the badge shows: ${picture}`);
  return { shields, feed: await feed.text() };
}

async function outage(monitor, stranger) {
  await publicly(stranger, "All services are up", "up", "status-up", monitor);

  chapter("the world breaks");
  await page.goto(monitor);
  await shows(state("Up"), "that it is up");
  await world("broken");
  await shows(state("Down"), "that it is down, by itself");
  await shows(link("See the incident, with its cause"), "the incident");
  await stage.look(page, "monitor-down");
  await link("See the incident, with its cause").click();
  await page.waitForURL("**/incidents/*");
  chapter("the incident says why");
  const why = page.locator("section[aria-labelledby=why]");
  await shows(why.getByText("never-deployed"), "the cause");
  ensure(/confirmed/.test(await why.innerText()), `the cause is confirmed: ${await why.innerText()}`);
  const hops = page.getByRole("list", { name: "The way of a request" }).getByRole("listitem");
  ensure((await hops.count()) >= 3, "the way of a request has its hops");
  await shows(page.locator(".way .state", { hasText: "Breaks here" }), "where it breaks");
  const proof = page.locator("section[aria-labelledby=proof]");
  ensure((await proof.locator(".sign.for").count()) > 0, "the cause has its proof");
  await shows(proof.getByText(/^Rivals/).first(), "the rivals");
  ensure((await proof.locator("details li").count()) > 0, "a rival stands there");
  const difference = page.locator("section[aria-labelledby=difference]");
  ensure(/200/.test(await difference.innerText()) && /404/.test(await difference.innerText()), "200 became 404");
  const timeline = page.locator("section[aria-labelledby=timeline] li");
  await until("the alert stands in the timeline", async () => /alerted/.test((await timeline.allInnerTexts()).join("\n")));
  await until("the alert arrives", () => messages().some((m) => m.event === "down"));
  const alert = messages().find((m) => m.event === "down");
  const caused = messages().find((m) => ["down", "cause"].includes(m.event) && m.cause);
  ensure(caused, "an alert carries the cause");
  equal(caused.cause.id, "never-deployed", "the cause in the alert");
  ensure(alert.link === page.url(), `the alert leads here: ${alert.link}`);
  await stage.look(page, "incident-open");

  chapter("the public sees it");
  await publicly(stranger, "All services are down", "down", "status-down", monitor);
  ensure(!(await stranger.content()).includes("never-deployed"), "the cause is nobody else's business");

  chapter("somebody acknowledges");
  await stage.reach(page, button("Acknowledge"));
  await page.keyboard.press("Enter");
  await shows(state("Acknowledged", why), "that it is acknowledged");
  await shows(why.getByText("Acknowledged by Ines"), "by whom");
  await page.getByRole("textbox", { name: "Comment" }).fill("The deployment is gone; Ben publishes it again.");
  await press("Add to the timeline");
  await shows(timeline.getByText("Ben publishes it again"), "the comment");
  await stage.look(page, "incident-acknowledged");

  chapter("it is repaired");
  await world("repaired");
  await shows(state("Resolved", why), "that it is resolved, by itself");
  await until("the all-clear arrives", () => messages().some((m) => m.event === "up"));
  equal(messages().filter((m) => m.event === "down").length, 1, "alerts");
  await page.locator("header.side .count").waitFor({ state: "detached" });
  equal(await button("Acknowledge").count(), 0, "buttons to acknowledge what is over");
  await stage.look(page, "incident-resolved");
  await page.goto("/incidents");
  await shows(state("Resolved"), "the incident in the list");
  await stage.look(page, "incidents");
  const after = await publicly(stranger, "All services are up", "up", "status-after", monitor);
  await shows(stranger.locator("section[aria-labelledby=past]").getByText("Levqor API"), "the incident, for the public");
  ensure(after.feed.includes("Levqor API"), "the incident stands in the feed");
  await page.goto("/");
  await stage.look(page, "overview");
}

async function apiKey() {
  chapter("an API key");
  await page.goto("/settings/keys");
  await page.getByLabel("What it is for").fill("The story");
  await press("Create");
  const key = await page.getByLabel("New API key").inputValue();
  await press("Copy");
  await shows(button("Copied"), "that it was copied");
  equal(await page.evaluate(() => navigator.clipboard.readText()), key, "what was copied");
  await stage.look(page, "keys");
  const ask = (path, options = {}) =>
    fetch(`${base}/api/v1${path}`, { ...options, headers: { authorization: `Bearer ${key}`, ...options.headers } });
  const monitors = await (await ask("/monitors")).json();
  equal(monitors.items.map((m) => m.name).join(), "Levqor API", "what the key reads");
  const write = await ask(`/monitors/${monitors.items[0].id}`, { method: "DELETE" });
  equal(write.status, 403, "a key that only reads, writing");
  await page.goto("/settings/keys");
  await page.locator("summary", { hasText: "Revoke" }).click();
  await press("Revoke for good");
  await shows(state("revoked"), "that it is revoked");
  equal((await ask("/monitors")).status, 401, "the revoked key");
}

async function heartbeat() {
  chapter("a heartbeat");
  await page.goto("/heartbeats");
  await link("New heartbeat").click();
  await page.getByLabel("Name (needed)").fill("Nightly export");
  await stage.look(page, "heartbeat-new");
  await page.locator("main form").getByRole("button").last().click();
  await shows(heading("Nightly export"), "the heartbeat");
  await shows(state("Never pinged"), "that it was never pinged");
  const ping = await page.getByRole("textbox", { name: "Ping URL" }).inputValue();
  equal((await fetch(`${ping}/start`)).status, 200, "the ping that starts");
  await shows(state("Running"), "that the job runs, by itself");
  equal((await fetch(ping, { method: "POST", body: "exported 12 rows" })).status, 200, "the ping");
  await shows(state("Up"), "that it is up, by itself");
  await page.reload();
  await shows(page.locator("summary", { hasText: "exported 12 rows" }), "what came with the ping");
  await stage.look(page, "heartbeat");
  await page.goto("/heartbeats");
  await stage.look(page, "heartbeats");
}

async function theRest() {
  chapter("the other pages");
  await page.goto("/jobs");
  const jobs = await page.locator("main tbody tr").count();
  ensure(jobs >= 19, `${jobs} jobs are listed`);
  await stage.look(page, "jobs");
  for (const [path, name] of [
    ["/reports", "reports"], ["/status-pages", "status-pages-list"], ["/windows", "windows"], ["/windows/new", "window-new"], ["/add", "add"],
    ["/channels", "channels"], ["/channels/deliveries", "deliveries"], ["/monitors/new?kind=dns", "monitor-new-dns"],
    ["/settings", "settings"], ["/settings/members", "members"], ["/settings/sessions", "account"],
    ["/settings/log", "log"], ["/settings/billing", "billing"], ["/settings/support", "support"],
  ]) {
    const answer = await page.goto(path);
    equal(answer.status(), 200, path);
    await stage.look(page, name);
  }

  chapter("a form with a mistake, and a page that is not there");
  await page.goto("/monitors/new?kind=http");
  page.expected.add(422).add(404);
  await page.getByLabel("Name (needed)").fill("Nowhere");
  await page.getByLabel("URL (needed)").fill("ftp://example.com/");
  await press("Start watching");
  await shows(page.getByRole("alert"), "what is wrong with the form");
  equal(await page.getByLabel("URL (needed)").getAttribute("aria-invalid"), "true", "the field is marked");
  equal(await page.getByLabel("Name (needed)").inputValue(), "Nowhere", "what was typed stays");
  await stage.look(page, "monitor-refused");
  await page.goto("/monitors/nothing");
  await stage.look(page, "not-found");
  page.expected.clear();

  chapter("the dark look is chosen, and kept");
  await page.goto("/");
  await press("Dark", page.locator(".side"));
  await until("the server keeps it", async () => {
    const answer = await page.request.get("/");
    return (await answer.text()).includes('data-theme="dark"');
  });
  await page.reload();
  equal(await page.locator("html").getAttribute("data-theme"), "dark", "the look after a reload");
  await stage.axe(page, "overview, dark by choice");
  await press("System", page.locator(".side"));
  await page.setViewportSize({ width: 390, height: 844 });
  await page.locator("header.bar summary").click();
  await shows(page.locator("header.bar").getByRole("link", { name: "Status pages" }), "the menu of a phone");
  await stage.shot(page, "menu-phone", false);
  await stage.axe(page, "the menu of a phone");
  await page.setViewportSize({ width: 1280, height: 900 });
}

async function withoutScript() {
  chapter("the same without any script");
  const plain = await stage.person({ javaScriptEnabled: false });
  const on = (name) => plain.getByRole("button", { name, exact: true });
  await plain.goto("/incidents");
  await plain.waitForURL("**/sign-in?next=*");
  await signIn(plain);
  await plain.waitForURL("**/incidents");
  await plain.goto("/monitors/new?kind=tcp");
  await plain.getByLabel("Name (needed)").fill("A closed port");
  await plain.getByLabel("Host (needed)").fill("127.0.0.1");
  await plain.getByLabel("Port (needed)").fill(String(await closedPort()));
  await plain.getByLabel("Interval (s)").fill("10");
  await plain.getByLabel("Down after failures in a row").fill("1");
  await on("Start watching").click();
  await plain.getByRole("heading", { name: "A closed port", level: 1 }).waitFor();
  const leads = plain.getByRole("link", { name: "See the incident, with its cause" });
  await until("the monitor is down", async () => {
    await plain.reload();
    return leads.isVisible();
  });
  await leads.click();
  await on("Acknowledge").click();
  await plain.getByText("Acknowledged by Ines").waitFor();
  await stage.shot(plain, "incident-without-script");
  const alert = await until("the alert of the closed port", () =>
    messages().find((m) => m.event === "down" && m.headline.includes("127.0.0.1")));
  ensure(/refused/.test(alert.headline), `without a cause an alert says what was seen: ${alert.headline}`);
  // An audit leads to its report without any script, too.
  await plain.goto("/add");
  await plain.getByLabel("Production URL").fill(target);
  await on("Audit now").click();
  await plain.locator("#verdict").waitFor();
  await stage.shot(plain, "report-without-script");
  await plain.locator(".side").getByRole("button", { name: "Sign out" }).click();
  await plain.getByText("You are signed out.").waitFor();
  await plain.context().close();
}

/** A port on loopback where nobody listens: one that was given out and given back. */
async function closedPort() {
  const { createServer } = await import("node:net");
  const server = createServer();
  await new Promise((go) => server.listen(0, "127.0.0.1", go));
  const { port } = server.address();
  await new Promise((go) => server.close(go));
  return port;
}

try {
  await firstRun();
  await firstAudit();
  const monitor = await firstMonitor();
  await channel();
  await statusPage();
  const stranger = await stage.person();
  await outage(monitor, stranger);
  await apiKey();
  await heartbeat();
  await theRest();
  await withoutScript();
  chapter("the end");
} catch (error) {
  stage.faults.unshift(`${error.stack ?? error}\n  ${error.cause ?? ""}`);
  await stage.shot(page, "where-it-ended").catch(() => {});
} finally {
  hook.close();
  await stage.down().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
