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
const KINDS = ["message", "monitor", "incident", "report", "heartbeat", "outbox", "job", "window", "channel"];
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

function progress(happened) {
  const list = document.getElementById("progress");
  const detail = happened.detail || {};
  const text = detail.say || detail.step || detail.message;
  if (!list || !text || happened.id !== document.body.dataset.only) return;
  const name = String(text).slice(0, 300);
  // A step is one line: it appears when it begins, and is marked when it ends.
  const running = [...list.children].find((item) => item.dataset.step === name && item.dataset.state === "begin");
  if (detail.event === "end" && running) {
    running.dataset.state = "end";
    running.textContent = `✓ ${name}`;
    return;
  }
  const item = document.createElement("li");
  item.dataset.step = name;
  item.dataset.state = String(detail.event || "");
  item.textContent = detail.event === "wait" ? `Waits ${name}, so as not to press the target` : detail.event === "end" ? `✓ ${name}` : name;
  list.append(item);
  while (list.children.length > 200) list.firstElementChild.remove();
}

if (live && document.body.dataset.watch && "EventSource" in window) {
  const source = new EventSource("/api/v1/events");
  const heard = (event) => {
    let happened = {};
    try { happened = JSON.parse(event.data); } catch { return; }
    // A step changes nothing that the server would show anew.
    if (happened.what === "progress") { progress(happened); return; }
    if (wanted(happened)) soon();
  };
  for (const kind of KINDS) source.addEventListener(kind, heard);
  let lost = false;
  const sign = document.getElementById("stream");
  source.addEventListener("open", () => { if (sign) sign.textContent = "Live"; if (lost) soon(); lost = false; });
  source.addEventListener("error", () => { lost = true; if (sign) sign.textContent = "Not live at the moment; reload to see the latest"; });
  addEventListener("pagehide", () => source.close());
}
