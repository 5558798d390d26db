// @ts-check
// ConversationView: one row an item, with a waveform and buttons; see conversation.py.
import { Items } from "./conversation_items.js";
import { Player } from "./conversation_player.js";
import { ownKeys } from "./keys.js";
import { h, say, duration, Wire, framed } from "./views.js";

/** The path of a waveform in a box of `width` by `height`, one stroke a bar. @param {number[]} bars 0 to 100 */
export function wavePath(bars, width, height) {
  const step = width / Math.max(1, bars.length);
  const middle = height / 2;
  return bars
    .map((bar, i) => {
      const half = Math.max(0.75, (bar / 100) * (middle - 1));
      return `M${((i + 0.5) * step).toFixed(1)} ${(middle - half).toFixed(1)}v${(2 * half).toFixed(1)}`;
    })
    .join("");
}

export const WHO = { user: ["You", "◗"], assistant: ["Model", "◖"], system: ["System", "■"], tool: ["Tool", "⚙"], other: ["Item", "◇"] };
export const MARKS = { busy: "…", good: "✓", warn: "⚠", bad: "✖" };

/** What a screen reader says of a row, and what buttons are named after. */
export function nameOf(row, number) {
  const who = (WHO[row.who] ?? WHO.other)[0];
  return row.call ? `call ${number}, ${row.call.name}` : `turn ${number}, ${who.toLowerCase()}`;
}

const SVG = "http://www.w3.org/2000/svg";
const WAVE = [216, 28];

function waveNode() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WAVE[0]} ${WAVE[1]}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const paths = ["rv-all", "rv-played", "rv-cut"].map((name) => {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", name);
    svg.append(path);
    return path;
  });
  return { svg, paths };
}

/** One view. */
export function conversationView(items, wire, player, el) {
  const nodes = new Map(); // id -> what a row consists of
  let follows = true;
  const stopAll = h("button", { type: "button", hidden: true, onclick: () => player.stop() }, "■ Stop replay");
  const newest = h("button", { type: "button", hidden: true, onclick: () => ((follows = true), place()) }, "↓ Newest");
  const count = h("span", { class: "rv-dim rv-count" });
  const status = h("div", { class: "rv-state", role: "status", hidden: true });
  const list = h("ol", { class: "rv-items", tabindex: "0", "aria-label": "Conversation, oldest first" });
  const empty = h("p", { class: "rv-empty rv-dim" });
  const root = h("section", { class: "rtnb-view rtnb-conversation", "aria-label": "Conversation" },
    h("div", { class: "rv-bar" }, h("span", { class: "rv-title" }, "Conversation"), count, newest, stopAll), status, empty, list);
  ownKeys(root);
  el.append(root);
  let notice = "";
  let noticeTimer = 0;

  const make = (id) => {
    const part = {};
    const act = (fn) => () => fn(id);
    part.who = h("span", { class: "rv-who" });
    part.state = h("span", { class: "rv-tone" });
    part.text = h("span", { class: "rv-text" });
    part.rest = h("span", { class: "rv-rest", hidden: true });
    part.call = h("div", { class: "rv-call", hidden: true });
    part.play = h("button", { type: "button", class: "rv-play", onclick: act((each) => player.toggle(each)) });
    const { svg, paths } = waveNode();
    part.paths = paths;
    part.seek = h("input", { type: "range", min: "0", step: "0.1", value: "0", onchange: () => player.seek(id, Number(part.seek.value)) });
    part.seek.addEventListener("keydown", (event) => event.stopPropagation());
    part.time = h("span", { class: "rv-dim rv-time" });
    part.from = h("button", { type: "button", class: "rv-quiet", title: "Play the turns from here on, as they were heard", onclick: act((each) => player.replay(each)) }, "▶▶ Replay from here");
    part.sound = h("div", { class: "rv-sound", hidden: true }, part.play, h("span", { class: "rv-wave" }, svg, part.seek), part.time, part.from);
    part.delete = h("button", { type: "button", class: "rv-quiet rv-delete", title: "Delete from the conversation", onclick: act(remove) }, "✕");
    part.node = h("li", { class: "rv-item" },
      h("div", { class: "rv-head" }, part.who, part.state, part.delete),
      h("div", { class: "rv-said" }, part.text, part.rest), part.call, part.sound);
    part.node.dataset.item = id;
    return part;
  };

  const remove = (id) => {
    wire.tell({ kind: "delete", id });
    const part = nodes.get(id);
    if (part) {
      part.delete.disabled = true;
      part.isLeaving = true;
    }
  };

  const fill = (id) => {
    const row = items.rows.get(id);
    let part = nodes.get(id);
    if (!part) nodes.set(id, (part = make(id)));
    const [who, mark] = WHO[row.who] ?? WHO.other;
    part.node.className = `rv-item rv-${row.who}${row.tone ? ` rv-is-${row.tone}` : ""}`;
    say(part.who, row.call ? `${mark} ${row.call.name}` : `${mark} ${who}`);
    const ms = row.call?.ms;
    say(part.state, row.state ? `${MARKS[row.tone] ?? ""} ${row.state}${ms || ms === 0 ? `, ${duration(ms)}` : ""}`.trim() : "");
    say(part.text, (row.text ?? "") + (row.images ? ` [${row.images} picture${row.images > 1 ? "s" : ""}]` : ""));
    part.rest.hidden = !row.rest;
    if (row.rest) {
      part.rest.replaceChildren(h("span", { class: "rv-mark" }, " ✂ not heard: "), h("s", {}, row.rest));
    }
    part.call.hidden = !row.call;
    if (row.call) {
      const { "arguments": given, result, error } = row.call;
      const long = (label, text) => (text.length > 300
        ? h("details", {}, h("summary", {}, `${label} (${text.length.toLocaleString("en")} characters)`), h("pre", { tabindex: "0" }, text))
        : h("div", { class: "rv-line" }, h("span", { class: "rv-dim" }, `${label} `), h("code", {}, text)));
      part.call.replaceChildren(...[
        given && long("arguments", given),
        error !== null && error !== undefined ? h("div", { class: "rv-line rv-error" }, h("b", {}, "✖ failed: "), error) : null,
        result !== null && result !== undefined ? long("result", result) : null,
      ].filter(Boolean));
    }
    part.sound.hidden = !row.ms;
    if (row.ms) {
      const heard = row.cut !== null && row.cut !== undefined ? Math.min(1, row.cut / row.ms) : 1;
      const n = Math.round(row.wave.length * heard);
      const strokes = wavePath(row.wave, ...WAVE).split("M").slice(1).map((each) => `M${each}`);
      part.paths[0].setAttribute("d", strokes.slice(0, n).join(""));
      const end = (WAVE[0] * heard).toFixed(1);
      part.paths[2].setAttribute("d", heard < 1 ? `M${end} 0v${WAVE[1]}${strokes.slice(n).join("")}` : "");
      part.seek.max = String(row.ms / 1000);
      part.duration = row.ms / 1000;
    }
    part.delete.hidden = !items.canDelete || !row.who;
    sounds(id);
    return part;
  };

  /** Player, and names, which depend on the place of a row. */
  const sounds = (id) => {
    const part = nodes.get(id);
    const row = items.rows.get(id);
    if (!part || !row) return;
    const name = nameOf(row, items.order.indexOf(id) + 1);
    part.delete.setAttribute("aria-label", `Delete ${name}`);
    if (!row.ms) return;
    const isMine = player.playing === id;
    const isRunning = isMine && player.audio && !player.audio.paused;
    say(part.play, isMine && player.waits ? "…" : isRunning ? "❚❚" : "▶");
    part.play.setAttribute("aria-label", `${isRunning ? "Pause" : "Play"} ${name}, ${duration(row.ms)}`);
    part.from.setAttribute("aria-label", `Replay from ${name}`);
    part.seek.setAttribute("aria-label", `Position in ${name}`);
    const at = isMine && player.audio ? player.audio.currentTime : 0;
    if (document.activeElement !== part.seek || isRunning) part.seek.value = String(at);
    part.seek.setAttribute("aria-valuetext", `${at.toFixed(1)} of ${part.duration.toFixed(1)} seconds`);
    const n = Math.round((row.wave.length * at) / Math.max(0.001, part.duration));
    part.paths[1].setAttribute("d", n ? wavePath(row.wave, ...WAVE).split("M").slice(1, 1 + n).map((each) => `M${each}`).join("") : "");
    say(part.time, isMine && player.audio ? `${at.toFixed(1)} / ${duration(row.ms)}` : duration(row.ms));
    part.node.classList.toggle("rv-playing", isMine);
  };

  /** To the newest. Rows get their true height when they come into sight, so the end moves once or twice more. */
  let settling = 0;
  const toEnd = (again = 3) => {
    cancelAnimationFrame(settling);
    settling = 0;
    list.scrollTop = list.scrollHeight;
    if (again && follows) settling = requestAnimationFrame(() => toEnd(again - 1));
  };

  const dirty = new Set(items.order);
  let gone = [];
  let wasPlaying = "";
  const place = framed(() => {
    for (const id of gone) {
      const part = nodes.get(id);
      if (part && !items.rows.has(id)) {
        if (part.node.contains(document.activeElement)) list.focus({ preventScroll: true });
        part.node.remove();
        nodes.delete(id);
      }
    }
    gone = [];
    for (const id of dirty) if (items.rows.has(id)) fill(id);
    const isMoved = dirty.size > 0;
    dirty.clear();
    if (isMoved) {
      let before = null;
      for (const id of items.order) {
        const node = nodes.get(id)?.node ?? fill(id).node;
        if (before ? before.nextSibling !== node : list.firstChild !== node) list.insertBefore(node, before ? before.nextSibling : list.firstChild);
        before = node;
      }
    }
    for (const id of new Set([wasPlaying, player.playing])) sounds(id);
    wasPlaying = player.playing;
    stopAll.hidden = !player.playing;
    const n = items.order.length;
    say(count, n ? `${n.toLocaleString("en")} item${n === 1 ? "" : "s"}` : "");
    const words = wire.words || notice || (player.problem && `Not played: ${player.problem}.`);
    status.hidden = !words;
    say(status, words);
    empty.hidden = n > 0;
    list.hidden = n === 0;
    say(empty, wire.live === "live" ? "Nothing was said yet." : "");
    if (follows) toEnd();
    newest.hidden = follows || !n;
  });

  list.addEventListener("scroll", () => {
    if (settling) return;
    const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 30;
    if (atEnd !== follows) {
      follows = atEnd;
      newest.hidden = follows || !items.order.length;
    }
  });
  list.addEventListener("wheel", (event) => event.deltaY < 0 && (cancelAnimationFrame(settling), (settling = 0), (follows = list.scrollHeight <= list.clientHeight)), { passive: true });
  list.addEventListener("keydown", (event) => {
    if (["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", " ", "Enter"].includes(event.key)) event.stopPropagation();
  });
  const watcher = () => place();
  wire.watchers.add(watcher);
  player.watchers.add(watcher);
  place();
  return {
    take({ changed, gone: left }) {
      for (const id of changed) dirty.add(id);
      gone.push(...left);
      place();
    },
    told(text) {
      notice = text;
      clearTimeout(noticeTimer);
      noticeTimer = setTimeout(() => ((notice = ""), place()), 15000);
      for (const part of nodes.values()) part.delete.disabled = false;
      place();
    },
    close() {
      clearTimeout(noticeTimer);
      place.cancel();
      cancelAnimationFrame(settling);
      wire.watchers.delete(watcher);
      player.watchers.delete(watcher);
      root.remove();
    },
  };
}

export default () => {
  let items, wire, player;
  const shown = new Set();
  return {
    initialize({ model }) {
      items = new Items();
      let asked = 0;
      wire = new Wire(model, (message, buffers) => {
        if (message.kind === "items") {
          const news = items.take(message);
          for (const each of shown) each.take(news);
          if (news.isLost && Date.now() - asked > 2000) {
            asked = Date.now();
            wire.ask({ kind: "hello" });
          }
        } else if (message.kind === "sound") player.sound(message, buffers);
        else if (message.kind === "told") for (const each of shown) each.told(message.text);
      });
      player = new Player(wire, items);
      return () => {
        player.close();
        wire.close();
      };
    },
    render({ el }) {
      const view = conversationView(items, wire, player, el);
      shown.add(view);
      return () => {
        shown.delete(view);
        view.close();
        if (!shown.size) player.stop();
      };
    },
  };
};
