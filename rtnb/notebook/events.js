// @ts-check
// EventTable: every event of a session, virtualised. One short row for each run of events; see events.py.
import { Rows, counted, facts, keeps } from "./events_rows.js";
import { ownKeys } from "./keys.js";
import { h, say, clock, Wire, framed, copyText } from "./views.js";

export const ROW = 26; // px
export const DETAIL = 250; // px of an expanded row, below it
const SPARE = 6; // rows drawn beyond what is seen

/** Where rows stand when some of them are expanded. @param {number[]} open sorted places of expanded rows */
export class Layout {
  constructor(count, open, row = ROW, detail = DETAIL) {
    Object.assign(this, { count, open, row, detail });
  }

  /** The upper edge of a row. */
  y(place) {
    let n = 0;
    while (n < this.open.length && this.open[n] < place) n++;
    return place * this.row + n * this.detail;
  }

  get height() {
    return this.y(this.count);
  }

  /** The row at a height. */
  at(y) {
    let [low, high] = [0, Math.max(0, this.count - 1)];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.y(middle) <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

let views = 0;

/** One view of the table. */
export function eventTable(rows, wire, el, bodies) {
  const id = `rtnb-events-${++views}-${Math.random().toString(36).slice(2, 7)}`;
  let shown = []; // rows that fit, in order
  let seen = 0; // how many of the rows were looked at
  let version = -1;
  let frozen = null; // while paused: the id of the last row that is shown
  let follows = true; // keep the newest in sight
  let active = -1; // id of the row the keyboard is at
  const open = new Map(); // id -> {member, node}
  const filter = { side: "both", types: "", text: "", found: new Set() };
  let searched = { of: 0, end: 0, pending: false };
  let keep = keeps(filter);
  const drawn = new Map(); // id -> {node, key}
  const on = new AbortController();

  const side = h("select", { "aria-label": "Direction" },
    ...[["both", "Both ways"], ["sent", "▲ Sent"], ["received", "▼ Received"], ["errors", "✖ Errors"]].map(([value, text]) => h("option", { value }, text)));
  const types = h("input", { type: "text", class: "rv-grow", placeholder: "Types: response.* -*.delta", "aria-label": "Event types, with * and ?; a minus leaves out", spellcheck: "false", autocomplete: "off" });
  const text = h("input", { type: "search", class: "rv-grow", placeholder: "Search", "aria-label": "Search in events", spellcheck: "false", autocomplete: "off" });
  const pause = h("button", { type: "button", "aria-pressed": "false" }, "Pause");
  const newest = h("button", { type: "button", hidden: true }, "↓ Newest");
  const counters = h("span", { class: "rv-dim rv-counters" });
  const status = h("div", { class: "rv-state", role: "status", hidden: true });
  const told = h("span", { class: "rv-hush", "aria-live": "polite" });
  const body = h("div", { class: "rv-body", role: "presentation" });
  const grid = h("div", { class: "rv-grid", role: "treegrid", tabindex: "0", "aria-label": "Events, oldest first. Arrow keys move, Enter expands.", "aria-readonly": "true", "aria-rowcount": "0", "aria-colcount": "4", id }, body);
  const root = h("section", { class: "rtnb-view rtnb-events", "aria-label": "Events" },
    h("div", { class: "rv-bar" }, h("span", { class: "rv-title" }, "Events"), counters),
    h("div", { class: "rv-bar", role: "group", "aria-label": "Filter events" }, side, types, text, pause, newest),
    status, grid, told);
  ownKeys(root);
  el.append(root);

  const layout = () => new Layout(shown.length, [...open.keys()].map(placeOf).filter((place) => place >= 0).sort((a, b) => a - b));
  const placeOf = (rowId) => {
    let [low, high] = [0, shown.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (shown[middle].id === rowId) return middle;
      if (shown[middle].id < rowId) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  };

  /** Bring `shown` up to the rows; only what is new is looked at, when nothing else changed. */
  const select = (again = false) => {
    if (again || version !== rows.version) {
      version = rows.version;
      shown = [];
      seen = rows.list.length ? rows.list[0].id : 0;
    }
    const last = frozen ?? Infinity;
    for (let i = rows.place(seen); i < rows.list.length; i++) {
      const row = rows.list[i];
      if (row.id > last) break;
      seen = row.id + 1;
      if (keep(row)) shown.push(row);
    }
  };

  const draw = framed(() => {
    select();
    const isEmpty = !shown.length;
    const at = layout();
    const height = at.height;
    body.style.height = `${Math.max(height, ROW)}px`;
    grid.setAttribute("aria-rowcount", String(Math.max(1, shown.length)));
    if (follows && frozen === null) grid.scrollTop = height;
    const top = grid.scrollTop;
    const first = Math.max(0, at.at(top) - SPARE);
    const last = Math.min(shown.length - 1, at.at(top + grid.clientHeight) + SPARE);
    const wanted = new Set();
    let before = null;
    for (let place = first; place <= last; place++) {
      const row = rows.get(shown[place].id) ?? shown[place];
      const node = rowNode(row);
      wanted.add(row.id);
      node.style.transform = `translateY(${at.y(place)}px)`;
      node.setAttribute("aria-rowindex", String(place + 1));
      node.classList.toggle("rv-odd", place % 2 === 1);
      if (before ? before.nextSibling !== node : body.firstChild !== node) body.insertBefore(node, before ? before.nextSibling : body.firstChild);
      before = node;
      const opened = open.get(row.id);
      if (opened) {
        const detail = detailNode(row, opened);
        detail.style.transform = `translateY(${at.y(place) + ROW}px)`;
        if (before.nextSibling !== detail) body.insertBefore(detail, before.nextSibling);
        before = detail;
      }
    }
    const activeRow = placeOf(active) >= first && placeOf(active) <= last ? active : null;
    for (const [rowId, { node }] of drawn)
      if (!wanted.has(rowId)) {
        node.remove();
        drawn.delete(rowId);
        open.get(rowId)?.node?.remove();
      }
    empty.hidden = !isEmpty;
    if (isEmpty && empty.parentNode !== body) body.append(empty);
    else if (!isEmpty) empty.remove();
    say(emptyText, rows.list.length ? "No event fits." : wire.live === "live" ? "No events yet." : "");
    if (activeRow !== null) grid.setAttribute("aria-activedescendant", `${id}-${activeRow}`);
    else grid.removeAttribute("aria-activedescendant");
    const [sent, received] = rows.totals;
    say(counters, `▲ sent ${counted(sent)}   ▼ received ${counted(received)}${rows.left ? `   (the first ${rows.left.toLocaleString("en")} rows are in session.events)` : ""}`);
    const words = wire.words;
    status.hidden = !words;
    say(status, words);
    const fresh = frozen === null ? 0 : rows.list.length - rows.place(frozen + 1);
    say(pause, frozen === null ? "Pause" : `Resume${fresh ? ` (${fresh} new)` : ""}`);
    pause.setAttribute("aria-pressed", String(frozen !== null));
    newest.hidden = follows || isEmpty;
    if (filter.text && !searched.pending && rows.list.length && rows.list.at(-1).id >= searched.end) search();
  });

  const emptyText = h("div", { role: "gridcell", "aria-colspan": "4" });
  const empty = h("div", { role: "row", class: "rv-empty rv-dim" }, emptyText);

  const rowNode = (row) => {
    const known = drawn.get(row.id);
    const key = `${row.count} ${row.ms} ${row.trouble} ${active === row.id} ${open.has(row.id)}`;
    if (known?.key === key) return known.node;
    const node = known?.node ?? h("div", { role: "row", id: `${id}-${row.id}` });
    node.className = `rv-row ${row.side ? "rv-in" : "rv-out"}${row.trouble ? " rv-trouble" : ""}${active === row.id ? " rv-active" : ""}`;
    node.dataset.row = String(row.id);
    node.setAttribute("aria-expanded", String(open.has(row.id)));
    node.setAttribute("aria-selected", String(active === row.id));
    node.title = row.words;
    node.replaceChildren(
      h("span", { role: "gridcell", class: "rv-time" }, clock(row.time)),
      h("span", { role: "gridcell", class: "rv-side" }, h("span", { "aria-hidden": "true" }, row.side ? "▼" : "▲"), h("span", { class: "rv-hush" }, row.side ? "received" : "sent")),
      h("span", { role: "gridcell", class: "rv-name" }, row.trouble ? h("span", { class: "rv-mark" }, "✖ ", h("span", { class: "rv-hush" }, "problem ")) : null, row.name),
      h("span", { role: "gridcell", class: "rv-words" }, h("span", { class: "rv-facts" }, facts(row)), row.words ? ` ${row.words}` : ""));
    drawn.set(row.id, { node, key });
    return node;
  };

  const detailNode = (row, opened) => {
    const body_ = bodies.get(`${row.id}/${opened.member}`);
    const key = `${opened.member} ${row.count} ${body_ ? 1 : 0}`;
    if (opened.node && opened.key === key) return opened.node;
    const hadFocus = opened.node?.contains(document.activeElement) && document.activeElement.dataset.act;
    const note = body_?.note ?? {};
    const step = (by, label, word) => h("button", { type: "button", class: "rv-quiet", "data-act": word, "aria-label": `${word} event of this run`, disabled: opened.member + by < 0 || opened.member + by >= row.count, onclick: () => turn(row, opened, opened.member + by) }, label);
    const copied = h("span", { class: "rv-dim", role: "status" });
    const cell = h("div", { role: "gridcell", "aria-colspan": "4", class: "rv-detail-cell" },
      h("div", { class: "rv-detail-bar" },
        ...(row.count > 1 ? [step(-1, "◀", "Previous"), h("span", {}, `${(opened.member + 1).toLocaleString("en")} of ${row.count.toLocaleString("en")}`), step(1, "▶", "Next")] : []),
        body_ ? h("span", { class: "rv-dim" }, `session.events[${body_.index}] at ${clock(body_.time)}`) : h("span", { class: "rv-dim" }, "asking the kernel…"),
        h("button", { type: "button", "data-act": "copy", disabled: !body_, onclick: async () => say(copied, (await copyText(body_.json, root)) ? "copied" : "the browser does not allow it: select the text") }, "Copy JSON"),
        copied,
        h("button", { type: "button", class: "rv-quiet", "data-act": "close", "aria-label": "Collapse", onclick: () => (toggle(row.id), grid.focus()) }, "✕")),
      ...["what", "cause", "fix"].filter((name) => note[name]).map((name) => h("div", { class: `rv-note rv-note-${name}` }, h("b", {}, { what: "What it means: ", cause: "Cause: ", fix: "What to do: " }[name]), note[name])),
      h("pre", { tabindex: "0", role: "group", "aria-label": `JSON of ${row.name}` }, body_ ? body_.json : ""));
    const node = h("div", { role: "row", class: `rv-detail${row.trouble ? " rv-trouble" : ""}` }, cell);
    opened.node?.replaceWith(node);
    opened.node = node;
    opened.key = key;
    if (hadFocus) (node.querySelector(`[data-act="${hadFocus}"]:not(:disabled)`) ?? grid).focus();
    return node;
  };

  const turn = (row, opened, member) => {
    opened.member = member;
    fetchBody(row.id, member);
    draw();
  };
  const fetchBody = (rowId, member) => {
    if (!bodies.has(`${rowId}/${member}`)) wire.ask({ kind: "expand", row: rowId, member });
  };
  const toggle = (rowId) => {
    const opened = open.get(rowId);
    if (opened) {
      opened.node?.remove();
      open.delete(rowId);
    } else {
      open.set(rowId, { member: 0 });
      fetchBody(rowId, 0);
      follows = false;
      body.style.height = `${layout().height}px`; // room for it, before it is scrolled to
      reveal(placeOf(rowId));
    }
    draw();
  };
  const reveal = (place) => {
    const at = layout();
    const y = at.y(place);
    const bottom = y + ROW + (open.has(shown[place].id) ? DETAIL : 0);
    if (y < grid.scrollTop) grid.scrollTop = y;
    else if (bottom > grid.scrollTop + grid.clientHeight) grid.scrollTop = Math.min(y, bottom - grid.clientHeight);
  };
  const move = (place) => {
    if (!shown.length) return;
    const to = Math.max(0, Math.min(shown.length - 1, place));
    active = shown[to].id;
    follows = to === shown.length - 1 && !open.size;
    reveal(to);
    draw();
  };
  const search = () => {
    searched.pending = true;
    wire.ask({ kind: "search", text: filter.text, of: searched.of, from: id, after: searched.end - 1 });
  };
  const refilter = () => {
    keep = keeps(filter);
    select(true);
    follows = true;
    draw();
    say(told, `${shown.length} rows`);
  };

  const listen = (node, name, fn) => node.addEventListener(name, fn, { signal: on.signal });
  listen(side, "change", () => ((filter.side = side.value), refilter()));
  listen(types, "input", () => ((filter.types = types.value), refilter()));
  listen(text, "input", () => {
    filter.text = text.value.trim();
    filter.found = new Set();
    searched = { of: searched.of + 1, end: 0, pending: false };
    refilter();
  });
  listen(pause, "click", () => {
    frozen = frozen === null ? rows.list.at(-1)?.id ?? -1 : null;
    if (frozen === null) follows = true;
    draw();
  });
  listen(newest, "click", () => ((follows = true), draw(), grid.focus({ preventScroll: true })));
  listen(grid, "scroll", () => {
    const atEnd = grid.scrollTop + grid.clientHeight >= grid.scrollHeight - ROW;
    if (follows !== atEnd && !(open.size && atEnd)) follows = atEnd;
    draw();
  });
  listen(grid, "wheel", (event) => event.deltaY < 0 && (follows = false));
  listen(body, "click", (event) => {
    const node = event.target.closest(".rv-row");
    if (!node) return;
    active = Number(node.dataset.row);
    toggle(active);
  });
  listen(grid, "keydown", (event) => {
    if (event.target !== grid) {
      if (event.key === "Escape") grid.focus();
      return;
    }
    const place = placeOf(active);
    const page = Math.max(1, Math.floor(grid.clientHeight / ROW) - 1);
    const keys = {
      ArrowDown: () => move(place < 0 ? layout().at(grid.scrollTop) : place + 1),
      ArrowUp: () => move(place < 0 ? shown.length - 1 : place - 1),
      PageDown: () => move(place + page),
      PageUp: () => move(place - page),
      Home: () => move(0),
      End: () => move(shown.length - 1),
      Enter: () => place >= 0 && toggle(active),
      " ": () => place >= 0 && toggle(active),
      ArrowRight: () => place >= 0 && !open.has(active) && toggle(active),
      ArrowLeft: () => place >= 0 && open.has(active) && toggle(active),
      Escape: () => [...open.keys()].forEach(toggle),
    };
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation(); // the notebook has meanings of its own for these keys
    act();
  });
  // Typing in a field must not reach the notebook's own keys.
  for (const field of [types, text, side]) listen(field, "keydown", (event) => event.stopPropagation());

  const watcher = () => draw();
  wire.watchers.add(watcher);
  const resized = new ResizeObserver(() => draw());
  resized.observe(grid);
  draw();
  return {
    draw,
    found(message) {
      if (message.of !== searched.of || message.from !== id) return;
      searched.pending = false;
      searched.end = message.end;
      for (const each of message.ids) filter.found.add(each);
      if (message.ids.length) {
        select(true);
        say(told, `${shown.length} rows`);
      }
      draw();
    },
    close() {
      on.abort();
      resized.disconnect();
      draw.cancel();
      wire.watchers.delete(watcher);
      root.remove();
    },
  };
}

export default () => {
  let rows, wire;
  const bodies = new Map(); // events that were fetched; the oldest are forgotten
  const shown = new Set();
  return {
    initialize({ model }) {
      rows = new Rows();
      wire = new Wire(model, (message) => {
        if (message.kind === "rows") rows.take(message);
        else if (message.kind === "event") {
          bodies.set(`${message.row}/${message.member}`, message);
          if (bodies.size > 60) bodies.delete(bodies.keys().next().value);
        } else if (message.kind === "found") for (const each of shown) each.found(message);
        for (const each of shown) each.draw();
      });
      return () => wire.close();
    },
    render({ el }) {
      const view = eventTable(rows, wire, el, bodies);
      shown.add(view);
      return () => {
        shown.delete(view);
        view.close();
      };
    },
  };
};
