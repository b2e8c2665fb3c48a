// Everything here is an addition: each page works without it. No framework, no request to any other host.

const root = document.documentElement;
root.classList.add("js");

// Ages grow while a page stays open.
function ages() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const seconds = Math.round((now - Date.parse(time.dateTime)) / 1000);
    if (Number.isFinite(seconds)) time.textContent = seconds < 0 ? `in ${length(-seconds)}` : `${length(seconds)} ago`;
  }
}
function length(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}
setInterval(ages, 10000);

// Copying, with the result said aloud.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  if (!field) return;
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2500);
});

// The theme changes at once; the form still reaches the server, so that the choice is remembered there.
document.addEventListener("click", async (event) => {
  const button = event.target.closest(".themes button");
  if (!button) return;
  event.preventDefault();
  const form = button.form;
  const theme = button.value;
  if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme;
  for (const each of document.querySelectorAll(".themes button")) {
    each.setAttribute("aria-pressed", String(each.value === theme));
  }
  const body = new URLSearchParams(new FormData(form));
  body.set("theme", theme);
  try { await fetch(form.action, { method: "POST", body, redirect: "manual" }); } catch { /* said again next time */ }
});

// Live pages: an event says that something changed, the page is asked for again, and only marked parts are replaced.
const live = document.querySelector("[data-live]");
const said = document.getElementById("said");
const KINDS = ["message", "monitor", "incident", "report", "heartbeat", "outbox", "job", "window", "channel", "lag"];
let due = null;
let running = false;
let again = false;

function wanted(happened) {
  const kinds = (document.body.dataset.watch || "").split(" ");
  if (happened.kind && !kinds.includes(happened.kind)) return false;
  const only = document.body.dataset.only;
  return !only || !happened.id || happened.id === only || happened.kind !== kinds[0];
}

async function refresh() {
  due = null;
  if (running) { again = true; return; }
  running = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (answer.ok && !answer.redirected) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const old of document.querySelectorAll("[data-live]")) {
        const next = fresh.getElementById(old.id);
        // Nobody's typing is thrown away, and what somebody opened stays open.
        if (!next || old.contains(document.activeElement)) continue;
        const open = new Set([...old.querySelectorAll("details[open]")].map((d) => d.id).filter(Boolean));
        for (const d of next.querySelectorAll("details[id]")) if (open.has(d.id)) d.open = true;
        if (next.innerHTML !== old.innerHTML) old.replaceWith(document.adoptNode(next));
      }
      const word = fresh.body.dataset.say;
      if (said && word && word !== document.body.dataset.say) {
        document.body.dataset.say = word;
        said.textContent = word;
        document.title = fresh.title;
      }
      // A page whose kind of content has changed (a report that is ready now) is loaded whole.
      if (fresh.body.dataset.stage !== document.body.dataset.stage) location.reload();
    }
  } catch { /* the stream says when the server is back */ }
  running = false;
  if (again) { again = false; soon(); }
}
function soon() { if (due === null) due = setTimeout(refresh, 400); }

// The steps of an audit as they begin and end. A step that ended says so in its own line.
const STEPS = {
  production: "Production: names, certificates, health endpoints", origin: "The platform's own name", "rate limit": "Rate limit",
  "local backend": "Local backend", "project folder": "Project folder", tests: "Tests",
};
function progress(happened) {
  const list = document.getElementById("progress");
  const { event, step } = happened.detail || {};
  if (!list || !step || happened.id !== document.body.dataset.only) return;
  const name = event === "wait" ? `Held back for ${step}, as a rate limit asks` : STEPS[step] || String(step).slice(0, 300);
  let item = [...list.children].find((each) => each.dataset.step === step);
  if (!item) {
    if (list.children.length >= 200) list.firstElementChild.remove();
    item = document.createElement("li");
    if (event !== "wait") item.dataset.step = step;
    list.append(item);
  }
  item.className = event === "end" ? "good" : "open";
  const text = event === "begin" ? `${name} …` : event === "end" ? `${name}: done` : name;
  if (item.textContent !== text) item.textContent = text;
}

let source = null;
function listen() {
  if (source || document.hidden) return;
  source = new EventSource("/api/v1/events");
  const sign = document.getElementById("stream");
  for (const kind of KINDS) {
    source.addEventListener(kind, (event) => {
      let happened = {};
      try { happened = JSON.parse(event.data); } catch { return; }
      if (happened.what === "progress") progress(happened);
      else if (wanted(happened)) soon();
    });
  }
  // What happened between the drawing of the page and the first event is in neither: so the page is asked for once more.
  source.addEventListener("open", () => { if (sign) sign.textContent = "Live"; soon(); });
  source.addEventListener("error", () => {
    if (sign) sign.textContent = "Not live at the moment; reload to see the latest";
  });
}
function hangUp() {
  if (source) source.close();
  source = null;
}
if (live && document.body.dataset.watch && "EventSource" in window) {
  listen();
  // An event can be lost on the way, between two servers or in a buffer that ran over: what is shown is never old for long.
  setInterval(() => { if (!document.hidden) soon(); }, 15000);
  // A browser keeps few connections to one server: tabs that nobody sees give theirs back.
  document.addEventListener("visibilitychange", () => { if (document.hidden) hangUp(); else listen(); });
  addEventListener("pagehide", hangUp);
  addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
}
