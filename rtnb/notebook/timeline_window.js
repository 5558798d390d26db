// @ts-check
/**
 * The window in time through which a timeline is seen: zooming, moving, its ticks, which marks are in it, what they say.
 *
 * Pure, and imports nothing.
 *
 * @typedef {{lane: string, start: number, end: number, kind: string, label: string, text: string, index: number,
 *   colour: string, row: number}} Mark
 * @typedef {{start: number, end: number}} View
 */

export const CHAR = 6.3; // pixels of a letter, on average
export const MOST_MARKS = 700;
const SHORTEST_S = 0.02;

/** A view that stays within the whole and is not too short. @param {View} view @param {View} whole @returns {View} */
export function clamped(view, whole) {
  const length = Math.min(Math.max(view.end - view.start, SHORTEST_S), whole.end - whole.start);
  const start = Math.min(Math.max(view.start, whole.start), whole.end - length);
  return { start, end: start + length };
}

/** The view, `factor` times as long, with the moment `at` where it was. */
export function zoomed(/** @type {View} */ view, /** @type {number} */ factor, /** @type {number} */ at, /** @type {View} */ whole) {
  return clamped({ start: at - (at - view.start) * factor, end: at + (view.end - at) * factor }, whole);
}

/** The view, moved by a share of its length. */
export function moved(/** @type {View} */ view, /** @type {number} */ share, /** @type {View} */ whole) {
  const by = (view.end - view.start) * share;
  return clamped({ start: view.start + by, end: view.end + by }, whole);
}

/** A view that holds a mark, with some room around it; the same one when it does already. */
export function showing(/** @type {View} */ view, /** @type {Mark} */ mark, /** @type {View} */ whole) {
  if (mark.start >= view.start && mark.end <= view.end) return view;
  const length = Math.max(view.end - view.start, (mark.end - mark.start) * 1.2);
  const middle = (mark.start + mark.end) / 2;
  return clamped({ start: middle - length / 2, end: middle + length / 2 }, whole);
}

/** A moment in words: seconds, from two minutes on minutes:seconds. */
export function clock(/** @type {number} */ seconds, /** @type {number} */ step = 0.01) {
  const digits = step >= 1 ? 0 : step >= 0.1 ? 1 : step >= 0.01 ? 2 : 3;
  if (seconds < 120) return seconds.toFixed(digits) + " s";
  const whole = Math.floor(seconds / 60);
  const rest = (seconds - 60 * whole).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return Number(rest) >= 60 ? `${whole + 1}:${(0).toFixed(digits).padStart(digits ? 3 + digits : 2, "0")}` : `${whole}:${rest}`;
}

/** Round moments in a view, so many as there is room for: `{at, text}`. */
export function ticks(/** @type {View} */ view, /** @type {number} */ width) {
  const room = Math.max(2, Math.floor(width / 90));
  const length = view.end - view.start;
  const steps = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
  const step = steps.find((each) => length / each <= room) ?? 7200;
  const found = [];
  for (let n = Math.ceil(view.start / step - 1e-9); n * step <= view.end + 1e-9; n++)
    found.push({ at: n * step, text: clock(n * step, step) });
  return found;
}

/** What a mark says: for the tip, and for who listens. */
export function described(/** @type {Mark} */ mark, /** @type {Record<string, string>} */ names) {
  const length = mark.end - mark.start;
  const when = length > 0.0005 ? `${clock(mark.start)} to ${clock(mark.end)}, ${length.toFixed(2)} s long` : `at ${clock(mark.start)}`;
  return `${names[mark.lane] ?? mark.lane}: ${mark.text || mark.label}, ${when}`;
}

/**
 * The marks in a view. Where there are too many, the longest; `keep` always.
 * @param {Mark[]} marks @param {View} view @param {number} [most] @param {Mark | null} [keep]
 */
export function visible(marks, view, most = MOST_MARKS, keep = null) {
  const inside = marks.filter((mark) => mark.start <= view.end && mark.end >= view.start);
  if (inside.length <= most) return inside;
  const important = (/** @type {Mark} */ mark) => (mark.lane === "errors" || mark.kind === "cut" || mark === keep ? 1e9 : 0);
  const order = inside.slice().sort((a, b) => b.end - b.start + important(b) - (a.end - a.start + important(a)));
  const chosen = new Set(order.slice(0, most));
  return inside.filter((mark) => chosen.has(mark));
}

/** The nearest mark in another lane, above (-1) or below (1). */
export function neighbour(/** @type {Mark[]} */ marks, /** @type {Mark} */ from, /** @type {string[]} */ lanes, /** @type {number} */ direction) {
  for (let at = lanes.indexOf(from.lane) + direction; at >= 0 && at < lanes.length; at += direction) {
    const inLane = marks.filter((mark) => mark.lane === lanes[at]);
    if (!inLane.length) continue;
    const far = (/** @type {Mark} */ mark) => Math.max(mark.start - from.start, from.start - mark.end, 0) * 1e3 + Math.abs(mark.start - from.start);
    return inLane.reduce((best, mark) => (far(mark) < far(best) ? mark : best));
  }
  return from;
}

/** As much of a text as there is room for. */
export function fitted(/** @type {string} */ text, /** @type {number} */ pixels) {
  const room = Math.floor(pixels / CHAR);
  if (room < 2) return "";
  return text.length <= room ? text : text.slice(0, room - 1).trimEnd() + "…";
}
