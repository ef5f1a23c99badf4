// What the pages do beyond htmx: they work without it, and lose only what moves.
"use strict";

// What somebody has unfolded stays unfolded when a page's new content comes.
Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element) =>
  !(name === "open" && element.tagName === "DETAILS") && !(name === "hidden" && element.matches(".copy"));

// A form of filters shows what is in the address, which new content doesn't change: what is typed into it stays. So do
// a reason, and whatever is being typed. Idiomorph's ignoreActiveValue would also keep all that is in a part of the page
// that has the focus, such as the main one after a click.
const TYPED = "form.filters, input.typed, input:focus, select:focus, textarea:focus";
Idiomorph.defaults.callbacks.beforeNodeMorphed = (node) => !(node instanceof Element && node.matches(TYPED));

let change = "";

// A page that nobody looks at is told nothing: browsers have few connections to one host.
class LiveSource extends EventTarget {
  constructor(url) {
    super();
    this.readyState = EventSource.CONNECTING;
    this.url = url;
    this.follow = () => (document.hidden ? this.pause() : this.resume());
    document.addEventListener("visibilitychange", this.follow);
    this.follow();
  }

  resume() {
    if (this.source || this.readyState === EventSource.CLOSED) return;
    this.source = new EventSource(this.url);
    this.source.onopen = (event) => {
      this.readyState = EventSource.OPEN;
      document.documentElement.dataset.live = "yes";
      if (this.onopen) this.onopen(event);
    };
    this.source.onerror = (event) => {
      document.documentElement.dataset.live = "no";
      if (this.source && this.source.readyState === EventSource.CLOSED) this.close();
      if (this.onerror) this.onerror(event);
    };
    this.source.addEventListener("changed", (event) => this.tell(event.data));
    if (this.paused) this.tell(String(Date.now()));
    this.paused = false;
  }

  tell(name) {
    change = name;
    this.dispatchEvent(new MessageEvent("changed", { data: name }));
  }

  pause() {
    if (this.source) this.source.close();
    this.source = null;
    this.paused = true;
  }

  close() {
    document.removeEventListener("visibilitychange", this.follow);
    if (this.source) this.source.close();
    this.source = null;
    this.readyState = EventSource.CLOSED;
  }
}

// What is asked for a change must not have been made before it: the server keeps contents for a moment.
document.addEventListener("htmx:configRequest", (event) => {
  if (change) event.detail.headers["X-Change"] = change;
});
htmx.createEventSource = (url) => new LiveSource(url);

// A button with data-copy, or one of the report, copies the text of the element that it names.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy], button.copy");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy || button.getAttribute("aria-controls"));
  const words = (button.dataset.words ||= button.textContent); // an update of the page takes the attribute away
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "Copied";
  } catch { // there is no clipboard on plain HTTP, and it may be forbidden
    window.getSelection().selectAllChildren(source);
    button.textContent = document.execCommand("copy") ? "Copied" : "Press Ctrl+C";
  }
  window.setTimeout(() => (button.textContent = words), 2000);
});
const showCopyButtons = () => {
  for (const button of document.querySelectorAll("button.copy[hidden]")) button.hidden = false;
};
showCopyButtons();
document.addEventListener("htmx:afterSettle", showCopyButtons);

// A form with data-confirm asks before it is sent.
document.addEventListener("submit", (event) => {
  const words = event.target.dataset.confirm;
  if (words && !window.confirm(words)) event.preventDefault();
});

// A filter that is chosen is applied at once.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-at-once]");
  if (form && event.target.tagName === "SELECT") form.requestSubmit();
});

// A log that is read at its end stays at its end.
let atEnd = [];
document.addEventListener("htmx:beforeSwap", () => {
  atEnd = [...document.querySelectorAll("[data-follow]")]
    .filter((log) => log.scrollTop + log.clientHeight >= log.scrollHeight - 8)
    .map((log) => log.id);
});
const followLogs = (ids) => {
  for (const id of ids) {
    const log = document.getElementById(id);
    if (log) log.scrollTop = log.scrollHeight;
  }
};
document.addEventListener("htmx:afterSettle", () => followLogs(atEnd));
followLogs([...document.querySelectorAll("[data-follow]")].map((log) => log.id));
document.documentElement.dataset.script = "yes";
