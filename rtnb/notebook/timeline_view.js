// @ts-check
/**
 * The timeline of a session, to look around in.
 *
 * The kernel gives marks (spans and points) and the outlines of three lanes of sound. Zooming and moving need nothing
 * of it; finer outlines and the JSON of an event are asked for by message and come when it has time:
 *
 *   to the kernel    {kind: "outline", start, end, bins} · {kind: "event", index} · {kind: "refresh"}
 *   from the kernel  {kind: "outline", start, end, lanes} · {kind: "event", index, title, what, json}
 *
 * @typedef {import("./timeline_window.js").Mark} Mark
 * @typedef {import("./timeline_window.js").View} View
 * @typedef {import("./timeline_outlines.js").Outlines} Outlines
 */

import { outlines, wavePath } from "./timeline_outlines.js";
import { CHAR, MOST_MARKS, clamped, clock, described, fitted, moved, neighbour, showing, ticks, visible, zoomed } from "./timeline_window.js";

const STYLE = `
.rtnb-tl { font: var(--jp-ui-font-size1, 13px)/1.4 var(--jp-ui-font-family, system-ui, sans-serif);
  color: var(--jp-ui-font-color1, #222); position: relative; max-width: 1400px; }
.rtnb-tl .bar { display: flex; flex-wrap: wrap; gap: 4px; align-items: center; margin-bottom: 4px; }
.rtnb-tl .bar button, .rtnb-tl .event button { font: inherit; color: inherit; min-width: 30px; min-height: 26px; padding: 2px 8px;
  border: 1px solid var(--jp-border-color1, #999); border-radius: 4px; background: var(--jp-layout-color1, #fff); cursor: pointer; }
.rtnb-tl button:hover { background: var(--jp-layout-color2, #eee); }
.rtnb-tl :is(button, .plot):focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
.rtnb-tl .range { margin-left: 8px; color: var(--jp-ui-font-color1, #444); font-variant-numeric: tabular-nums; }
.rtnb-tl .hint { flex: 1 1 100%; color: var(--jp-ui-font-color2, #5a5a5a); font-size: var(--jp-ui-font-size0, 11px); }
.rtnb-tl .plot { position: relative; cursor: grab; touch-action: pan-y; border-radius: 4px; }
.rtnb-tl .plot.dragging { cursor: grabbing; }
.rtnb-tl svg { display: block; width: 100%; overflow: hidden; user-select: none; }
.rtnb-tl svg text { fill: var(--jp-ui-font-color1, #222); font-size: 12px; }
.rtnb-tl svg .name, .rtnb-tl svg .tick { fill: var(--jp-ui-font-color2, #5a5a5a); }
.rtnb-tl svg .rule { stroke: var(--jp-border-color2, #ccc); }
.rtnb-tl svg .mark { cursor: pointer; outline: none; }
.rtnb-tl svg .mark:hover .box, .rtnb-tl svg .mark.open .box { fill-opacity: 0.5; }
.rtnb-tl svg .mark:focus-visible .box, .rtnb-tl svg .mark.at .box { stroke: var(--jp-ui-font-color1, #222); stroke-width: 2; }
.rtnb-tl .tip { position: absolute; pointer-events: none; z-index: 5; max-width: 420px; padding: 4px 8px; border-radius: 4px;
  background: var(--jp-layout-color0, #fff); border: 1px solid var(--jp-border-color1, #999); box-shadow: 0 2px 6px #0003; overflow-wrap: anywhere; }
.rtnb-tl .event { margin-top: 6px; padding: 8px; border: 1px solid var(--jp-border-color1, #999); border-radius: 4px; }
.rtnb-tl .event h4 { margin: 0; display: flex; gap: 8px; align-items: center; font-size: inherit; }
.rtnb-tl .event h4 button { margin-left: auto; }
.rtnb-tl .event p { margin: 6px 0; white-space: pre-line; }
.rtnb-tl .event pre { margin: 0; max-height: 260px; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere;
  color: inherit; background: transparent; font: var(--jp-code-font-size, 12px)/1.4 var(--jp-code-font-family, monospace); }
.rtnb-tl [hidden] { display: none; }
@media (forced-colors: active) { .rtnb-tl svg .mark .box { stroke: CanvasText; } }
`;

const HEIGHTS = /** @type {Record<string, number>} */ ({ you: 52, received: 52, heard: 52, words: 50 });
const FLAT = 27;
const NAMES = 112; // pixels for the names of the lanes
const NARROW_NAMES = 76;
const AXIS = 20;
const SVG = "http://www.w3.org/2000/svg";

/** An element of the page, or of an SVG. @returns {any} */
function make(/** @type {string} */ tag, /** @type {Record<string, any>} */ attributes = {}, /** @type {any[]} */ ...children) {
  const isSvg = ["svg", "g", "rect", "path", "line", "text", "clipPath", "title"].includes(tag);
  const element = isSvg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  // Keys are ours, not commands of the notebook. JupyterLab looks at the element in focus itself, before its parents.
  if (tag === "button" || "tabindex" in attributes) element.setAttribute("data-lm-suppress-shortcuts", "true");
  element.append(...children);
  return element;
}

/** One view of the timeline in one element of the page. */
class Drawing {
  constructor(/** @type {any} */ model, /** @type {HTMLElement} */ el, /** @type {AbortSignal} */ signal) {
    this.model = model;
    this.signal = signal;
    this.at = /** @type {Mark | null} */ (null); // where the keyboard is
    this.open = /** @type {Mark | null} */ (null);
    this.fine = /** @type {Outlines | null} */ (null);
    this.width = 800;
    this.ask = 0;
    this.late = 0;
    this.clip = `rtnb-tl-${Math.random().toString(36).slice(2)}`;
    this.build(el);
    this.take();
    const observer = new ResizeObserver(([entry]) => {
      const width = Math.round(entry.contentRect.width);
      if (width > 0 && width !== this.width) { this.width = width; this.draw(); }
    });
    observer.observe(this.plot);
    signal.addEventListener("abort", () => { observer.disconnect(); clearTimeout(this.ask); clearTimeout(this.late); });
  }

  /** The kernel's data, anew. */
  take() {
    const data = this.model.get("data");
    const before = this.whole;
    const wasWhole = !before || (this.view.start <= before.start && this.view.end >= before.end);
    this.whole = { start: data.start, end: data.end };
    this.names = data.names;
    this.lanes = data.lanes;
    this.marks = /** @type {Mark[]} */ (data.marks);
    this.coarse = outlines(data.sound);
    this.fine = null;
    this.view = wasWhole ? { ...this.whole } : clamped(this.view, this.whole);
    this.at = null;
    const open = this.open;
    if (open) this.open = this.marks.find((mark) => mark.index === open.index && mark.lane === open.lane && mark.kind === open.kind) ?? open;
    this.plot.setAttribute("aria-label", `Timeline, ${clock(this.whole.start)} to ${clock(this.whole.end)}, ${this.marks.length} marks in ${this.lanes.length} lanes`);
    this.draw();
  }

  build(/** @type {HTMLElement} */ el) {
    const on = { signal: this.signal };
    const button = (/** @type {string} */ text, /** @type {string} */ label, /** @type {() => void} */ act) => {
      const made = make("button", { type: "button", "aria-label": label, title: label }, text);
      made.addEventListener("click", act, on);
      return made;
    };
    this.range = make("span", { class: "range", "aria-live": "off" });
    const bar = make("div", { class: "bar", role: "toolbar", "aria-label": "Timeline" },
      button("+", "Zoom in", () => this.zoom(0.5)), button("−", "Zoom out", () => this.zoom(2)),
      button("←", "Earlier", () => this.move(-0.5)), button("→", "Later", () => this.move(0.5)),
      button("All", "Show all", () => this.show({ ...this.whole })),
      button("Refresh", "Read what came since", () => this.request({ kind: "refresh" })), this.range,
      make("span", { class: "hint" }, "Click in it, then: wheel or + − zooms, drag or Shift+← → moves, ← → ↑ ↓ goes from mark to mark, Enter shows the event"));
    this.plot = make("div", { class: "plot", tabindex: 0, role: "group", "aria-roledescription": "timeline" });
    this.tip = make("div", { class: "tip", role: "tooltip" });
    this.tip.hidden = true;
    this.detail = make("section", { class: "event", "aria-live": "polite", "aria-label": "Event" });
    this.detail.hidden = true;
    this.title = make("p", { class: "title" });
    el.classList.add("rtnb-tl");
    el.append(make("style", {}, STYLE), this.title, bar, this.plot, this.tip, this.detail);
    this.root = el;
    const title = this.model.get("title");
    this.title.textContent = title;
    this.title.hidden = !title;
    this.plot.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.key(event), on);
    this.plot.addEventListener("wheel", (/** @type {WheelEvent} */ event) => this.wheel(event), { ...on, passive: false });
    this.plot.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => this.drag(event), on);
    this.plot.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      const node = /** @type {any} */ (event.target)?.closest?.(".mark"); // asked of the plot: each drawing makes new marks
      if (!this.plot.classList.contains("dragging")) this.tell(node?.mark ?? null, node);
    }, on);
    this.plot.addEventListener("pointerleave", () => this.tell(null), on);
    this.plot.addEventListener("focusout", () => this.tell(null), on);
  }

  // ---- looking around

  get names_() { return this.width < 560 ? NARROW_NAMES : NAMES; }
  x(/** @type {number} */ time) {
    return this.names_ + ((time - this.view.start) / (this.view.end - this.view.start)) * (this.width - this.names_);
  }
  time(/** @type {number} */ clientX) {
    const x = clientX - this.plot.getBoundingClientRect().left - this.names_;
    return this.view.start + (x / (this.width - this.names_)) * (this.view.end - this.view.start);
  }
  show(/** @type {View} */ view) {
    this.view = view;
    this.draw();
    clearTimeout(this.ask);
    this.ask = setTimeout(() => this.refine(), 150);
  }
  zoom(/** @type {number} */ factor, at = (this.view.start + this.view.end) / 2) {
    this.show(zoomed(this.view, factor, at, this.whole));
  }
  move(/** @type {number} */ share) { this.show(moved(this.view, share, this.whole)); }
  refine() {
    const length = this.view.end - this.view.start;
    if (length > 0.7 * (this.coarse.end - this.coarse.start)) return;
    const asked = clamped({ start: this.view.start - length / 2, end: this.view.end + length / 2 }, this.whole);
    this.request({ kind: "outline", ...asked, bins: Math.min(4000, Math.round(2 * this.width)) });
  }

  /** Ask the kernel. One that is gone takes nothing, and what is here can still be looked at. */
  request(/** @type {any} */ content, /** @type {Record<string, any>} */ values = {}) {
    try {
      for (const [name, value] of Object.entries(values)) this.model.set(name, value);
      if (Object.keys(values).length) this.model.save_changes();
      this.model.send(content);
    } catch (error) {
      console.debug("rtnb: the kernel cannot be asked", error);
    }
  }

  wheel(/** @type {WheelEvent} */ event) {
    if (!(this.plot.contains(document.activeElement) || event.ctrlKey || event.metaKey)) return; // the page scrolls
    event.preventDefault();
    event.stopPropagation();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.move(event.deltaX / 1000);
    else this.zoom(Math.exp(Math.max(-0.5, Math.min(0.5, event.deltaY / 300))), this.time(event.clientX));
  }

  drag(/** @type {PointerEvent} */ event) {
    if (event.button !== 0) return;
    const from = { x: event.clientX, view: this.view };
    const mark = /** @type {any} */ (event.target)?.closest?.(".mark")?.mark ?? null;
    let dragged = false;
    this.plot.focus({ preventScroll: true });
    const end = new AbortController();
    const on = { signal: AbortSignal.any([end.signal, this.signal]) };
    window.addEventListener("pointermove", (moving) => {
      const by = moving.clientX - from.x;
      if (!dragged && Math.abs(by) < 4) return;
      dragged = true;
      this.plot.classList.add("dragging");
      this.tell(null);
      this.show(moved(from.view, -by / (this.width - this.names_), this.whole));
    }, on);
    const stop = (/** @type {boolean} */ isClick) => {
      end.abort();
      this.plot.classList.remove("dragging");
      if (isClick && !dragged && mark) { this.go(mark); this.choose(mark); }
    };
    window.addEventListener("pointerup", () => stop(true), on);
    window.addEventListener("pointercancel", () => stop(false), on);
    event.preventDefault();
  }

  key(/** @type {KeyboardEvent} */ event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = (/** @type {number} */ by) => {
      const here = this.at ? this.marks.indexOf(this.at) : this.marks.findIndex((mark) => mark.start >= this.view.start) - (by > 0 ? 1 : 0);
      const next = this.marks[Math.min(this.marks.length - 1, Math.max(0, here + by))];
      if (next) this.go(next);
    };
    const lane = (/** @type {number} */ by) => (this.at ? this.go(neighbour(this.marks, this.at, this.lanes, by)) : step(1));
    const keys = /** @type {Record<string, () => void>} */ ({
      ArrowLeft: () => (event.shiftKey ? this.move(-0.25) : step(-1)),
      ArrowRight: () => (event.shiftKey ? this.move(0.25) : step(1)),
      ArrowUp: () => lane(-1), ArrowDown: () => lane(1),
      Home: () => this.marks.length && this.go(this.marks[0]), End: () => this.marks.length && this.go(this.marks[this.marks.length - 1]),
      "+": () => this.zoom(0.5, this.at ? this.at.start : undefined), "=": () => this.zoom(0.5, this.at ? this.at.start : undefined),
      "-": () => this.zoom(2), 0: () => this.show({ ...this.whole }),
      Enter: () => this.at && this.choose(this.at), " ": () => this.at && this.choose(this.at),
      Escape: () => this.close(),
    });
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  go(/** @type {Mark} */ mark) {
    this.at = mark;
    this.show(showing(this.view, mark, this.whole));
    const node = this.node(mark);
    node?.focus({ preventScroll: true });
    this.tell(mark, node);
  }

  node(/** @type {Mark} */ mark) {
    return [...this.plot.querySelectorAll(".mark")].find((each) => each.mark === mark);
  }

  tell(/** @type {Mark | null} */ mark, /** @type {any} */ node = null) {
    this.tip.hidden = !mark;
    if (!mark) return;
    this.tip.textContent = described(mark, this.names);
    const root = this.root.getBoundingClientRect(), box = node?.getBoundingClientRect() ?? root;
    const left = Math.max(box.left, root.left + this.names_) - root.left;
    this.tip.style.left = `${Math.max(0, Math.min(left, root.width - this.tip.offsetWidth - 4))}px`;
    this.tip.style.top = `${box.bottom - root.top + 4}px`;
  }

  // ---- one event

  choose(/** @type {Mark} */ mark) {
    this.open = mark;
    this.tell(null);
    this.request({ kind: "event", index: mark.index }, { selected: mark.index });
    clearTimeout(this.late);
    this.late = setTimeout(() => this.event({ index: mark.index, title: `event ${mark.index}`, json: "",
      what: "The kernel has not answered: it is busy, or gone. The event comes when it has time." }), 2000);
    this.draw();
  }

  event(/** @type {any} */ told) {
    if (!this.open || told.index !== this.open.index) return;
    clearTimeout(this.late);
    const close = make("button", { type: "button", "aria-label": "Close the event" }, "✕");
    close.addEventListener("click", () => this.close(), { signal: this.signal });
    this.detail.replaceChildren(make("h4", {}, make("span", {}, told.title), close), make("p", {}, told.what), make("pre", {}, told.json));
    if (!told.what) this.detail.children[1].remove();
    this.detail.hidden = false;
  }

  close() {
    this.tell(null);
    if (!this.open) return;
    const mark = this.open;
    this.open = null;
    this.detail.hidden = true;
    clearTimeout(this.late);
    this.draw();
    (this.node(mark) ?? this.plot).focus({ preventScroll: true });
  }

  // ---- drawing

  draw() {
    const { view, width } = this;
    const names = this.names_;
    const heights = this.lanes.map((/** @type {string} */ lane) => HEIGHTS[lane] ?? FLAT);
    const total = heights.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0) + AXIS;
    const svg = make("svg", { viewBox: `0 0 ${width} ${total}`, height: total, role: "presentation" });
    const clip = make("clipPath", { id: this.clip }, make("rect", { x: names, y: 0, width: Math.max(0, width - names), height: total }));
    svg.append(clip);
    const inner = make("g", { "clip-path": `url(#${this.clip})` });
    const focused = this.plot.contains(document.activeElement) && document.activeElement !== this.plot;
    for (const { at, text } of ticks(view, width - names)) {
      const x = this.x(at).toFixed(1);
      svg.append(make("line", { class: "rule", x1: x, x2: x, y1: 0, y2: total - AXIS }));
      svg.append(make("text", { class: "tick", x, y: total - 5, "text-anchor": this.x(at) > width - 25 ? "end" : "middle" }, text));
    }
    const shown = visible(this.marks, view, MOST_MARKS, this.at);
    let top = 0;
    this.lanes.forEach((/** @type {string} */ lane, /** @type {number} */ number) => {
      const height = heights[number];
      svg.append(make("text", { class: "name", x: names - 8, y: top + height / 2 + 4, "text-anchor": "end" }, fitted(this.names[lane], names)));
      svg.append(make("line", { class: "rule", x1: 0, x2: width, y1: top + height, y2: top + height }));
      this.wave(inner, lane, top, height);
      const mine = shown.filter((mark) => mark.lane === lane);
      for (const row of [0, 1]) {
        const inRow = mine.filter((mark) => mark.row === row);
        inRow.forEach((mark, index) => inner.append(this.mark(mark, inRow[index + 1], top, height)));
      }
      top += height;
    });
    svg.append(inner);
    this.plot.replaceChildren(svg);
    this.range.textContent = `${clock(view.start)} – ${clock(view.end)}`;
    if (focused && this.at) this.node(this.at)?.focus({ preventScroll: true });
  }

  wave(/** @type {any} */ into, /** @type {string} */ lane, /** @type {number} */ top, /** @type {number} */ height) {
    const { view, fine, coarse } = this;
    const isFine = fine && fine.start <= view.start + 1e-6 && fine.end >= view.end - 1e-6;
    const source = isFine ? fine : coarse;
    const sound = source.lanes[lane];
    if (!sound) return;
    const d = wavePath(sound, source, view, this.width - this.names_, height - 4);
    into.append(make("path", { d, fill: this.model.get("data").colours[lane], transform: `translate(${this.names_} ${top + 2})`, class: "wave", "data-lane": lane, "data-fine": isFine ? 1 : 0 }));
  }

  mark(/** @type {Mark} */ mark, /** @type {Mark | undefined} */ next, /** @type {number} */ top, /** @type {number} */ height) {
    const left = Math.min(this.x(mark.start), this.width - 3); // what happened last is seen, too
    const right = Math.max(this.x(mark.end), left + 3);
    const isSound = ["received", "heard", "you"].includes(mark.lane);
    const isPoint = mark.end - mark.start < 0.0005;
    const rows = mark.lane === "words" ? 2 : 1;
    const tall = height / rows;
    const y = top + mark.row * tall;
    const seen = Math.max(left, this.names_);
    const isAt = this.at === mark;
    const node = make("g", { class: `mark${isAt ? " at" : ""}${this.open === mark ? " open" : ""}`, role: "button", tabindex: isAt ? 0 : -1,
      "aria-label": described(mark, this.names), "data-index": mark.index, "data-lane": mark.lane, "data-kind": mark.kind });
    node.mark = mark;
    node.append(make("rect", { class: "box", x: left, y: y + 3, width: right - left, height: tall - 6, rx: 2, fill: mark.colour, "fill-opacity": isSound && !isPoint ? 0.08 : 0.22 }));
    if (!isSound || isPoint) node.append(make("rect", { x: left, y: y + 3, width: isPoint ? 2.5 : 2, height: tall - 6, fill: mark.colour }));
    const room = (next ? this.x(next.start) : this.width) - seen - 8;
    const words = fitted(mark.lane === "words" ? mark.text : mark.label, room);
    if (isPoint && !next && room < 60 && mark.label.length * CHAR < left - this.names_ - 8) {
      node.append(make("text", { x: left - 4, y: isSound ? y + 13 : y + tall / 2 + 4, "text-anchor": "end", "aria-hidden": "true" }, mark.label));
    } else if (words && (!isSound || isPoint || right - seen > 40)) {
      const atTop = isSound;
      node.append(make("text", { x: seen + 5, y: atTop ? y + 13 : y + tall / 2 + 4, "aria-hidden": "true" }, isSound && !isPoint ? fitted(mark.label, right - seen) : words));
    }
    return node;
  }
}

export default {
  render(/** @type {{model: any, el: HTMLElement}} */ { model, el }) {
    const life = new AbortController();
    const drawing = new Drawing(model, el, life.signal);
    const onData = () => drawing.take();
    const onMessage = (/** @type {any} */ message) => {
      if (message.kind === "event") drawing.event(message);
      if (message.kind === "outline") { drawing.fine = outlines(message); drawing.draw(); }
    };
    model.on("change:data", onData);
    model.on("msg:custom", onMessage);
    return () => { life.abort(); model.off("change:data", onData); model.off("msg:custom", onMessage); };
  },
};
