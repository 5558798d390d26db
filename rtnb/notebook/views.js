// @ts-check
// What the views of rtnb have in common. Joined with the module of each view when it is loaded (see modules.py).

/**
 * An element with attributes, listeners (`onclick`) and children.
 * @param {string} tag
 * @param {Record<string, any>} [attributes] null and false are left out
 * @param {...any} children
 */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Set a text only when it changed: a screen reader and the layout hear of each change. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A moment as mm:ss.hh. @param {number} seconds */
export function clock(seconds) {
  const hundredths = Math.floor(Math.max(0, seconds) * 100 + 1e-6);
  const two = (n) => String(n).padStart(2, "0");
  return `${two(Math.floor(hundredths / 6000))}:${two(Math.floor(hundredths / 100) % 60)}.${two(hundredths % 100)}`;
}

/** How long, for people: 320 ms, 4.2 s, 1:05 min. @param {number} ms */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
  const s = Math.round(ms / 1000);
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")} min`;
}

/** How many bytes, for people. @param {number} n */
export function size(n) {
  if (n < 1000) return `${n} B`;
  return n < 1e6 ? `${(n / 1e3).toFixed(n < 1e4 ? 1 : 0)} kB` : `${(n / 1e6).toFixed(1)} MB`;
}

export const WORDS = {
  waiting: "Waiting for the kernel. It answers when the running cell is done; if the kernel was restarted, run this cell again.",
  restarted: "The kernel was restarted: what you see is the last that came from it. Run the cell again for a live view.",
  dead: "The kernel is not running: what you see is the last that came from it. Start it and run the cell again.",
  closed: "This view was closed: what you see is the last that came. Run the cell again for a live view.",
};

/**
 * Messages of one model, for all its views in this page, and whether the kernel is there.
 *
 * `live` is "waiting" (no answer yet, or none for a while), "live", or why there will be none: "restarted", "dead",
 * "closed".
 */
export class Wire {
  /** @param {any} model @param {(message: any, buffers: DataView[]) => void} take */
  constructor(model, take) {
    this.model = model;
    this.take = take;
    this.live = "waiting";
    this.silent = false; // waited long enough to say so
    /** @type {Set<() => void>} */
    this.watchers = new Set();
    this.timer = 0;
    this.onMessage = (message, buffers) => this.heard(message, buffers);
    this.onComm = () => this.look();
    this.onStatus = (_, status) => {
      if (status === "restarting" || status === "autorestarting") this.set("restarted");
      else if (status === "dead") this.set("dead");
    };
    model.on("msg:custom", this.onMessage);
    model.on("comm_live_update", this.onComm);
    model.on("destroy", this.onComm);
    this.kernel = model.widget_manager?.kernel ?? null;
    this.kernel?.statusChanged?.connect(this.onStatus);
    this.ask({ kind: "hello" });
  }

  heard(message, buffers) {
    clearTimeout(this.timer);
    this.timer = 0;
    this.silent = false;
    this.set("live");
    this.take(message, buffers);
  }

  set(live) {
    if (this.live === live && !this.silent) return;
    this.live = live;
    this.changed();
  }

  changed() {
    for (const watcher of this.watchers) watcher();
  }

  look() {
    if (this.model.comm_live === false || this.model._closed) {
      if (this.live === "live" || this.live === "waiting") this.set("restarted");
    }
  }

  get isOver() {
    return this.live !== "live" && this.live !== "waiting";
  }

  /** Send, and expect an answer. */
  ask(message) {
    if (this.isOver) return;
    this.tell(message);
    if (!this.timer)
      this.timer = setTimeout(() => {
        this.timer = 0;
        this.silent = true;
        this.changed();
      }, 3000);
  }

  /** Send. */
  tell(message) {
    try {
      this.model.send(message);
    } catch {
      this.set("closed"); // the comm is closed
    }
  }

  /** What to tell a person; empty when all is well. */
  get words() {
    if (this.isOver) return WORDS[this.live];
    return this.silent ? WORDS.waiting : "";
  }

  close() {
    clearTimeout(this.timer);
    this.model.off("msg:custom", this.onMessage);
    this.model.off("comm_live_update", this.onComm);
    this.model.off("destroy", this.onComm);
    this.kernel?.statusChanged?.disconnect(this.onStatus);
    this.watchers.clear();
  }
}

/** Run `fn` at the next frame, once however often it is asked for. @param {() => void} fn */
export function framed(fn) {
  let asked = 0;
  const request = () => {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      fn();
    });
  };
  request.cancel = () => cancelAnimationFrame(asked);
  return request;
}

/** Copy a text; gives whether it worked. Where the page may not use the clipboard, a hidden field does. */
export async function copyText(text, near) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = h("textarea", { "aria-hidden": "true", style: "position:fixed;opacity:0" });
    field.value = text;
    near.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}
