// @ts-check
/**
 * The outlines of the lanes of sound: read from what the kernel sent, and as paths of an SVG.
 *
 * Pure, and imports nothing.
 *
 * @typedef {import("./timeline_window.js").View} View
 * @typedef {{start: number, end: number, lanes: Record<string, {low: Int8Array, high: Int8Array}>}} Outlines
 */

export const NONE = -128;

/** Bytes of a base64 text, with signs. @param {string} text */
export function decoded(text) {
  const raw = atob(text);
  const bytes = new Int8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = (raw.charCodeAt(i) << 24) >> 24;
  return bytes;
}

/**
 * The outline of a lane as the path of an SVG, from the top of the lane to `height`.
 * @param {{low: Int8Array, high: Int8Array}} sound @param {View} span what it covers
 * @param {View} view @param {number} width @param {number} height
 */
export function wavePath(sound, span, view, width, height) {
  const n = sound.high.length;
  const per = (span.end - span.start) / n;
  const first = Math.max(0, Math.floor((view.start - span.start) / per));
  const last = Math.min(n, Math.ceil((view.end - span.start) / per));
  const x = (/** @type {number} */ bin) => ((span.start + bin * per - view.start) / (view.end - view.start)) * width;
  const y = (/** @type {number} */ value) => height / 2 - (value / 127) * (height / 2 - 1);
  let path = "";
  for (let bin = first; bin < last; ) {
    if (sound.high[bin] === NONE) { bin++; continue; }
    let end = bin;
    while (end < last && sound.high[end] !== NONE) end++;
    let upper = "", lower = "";
    for (let i = bin; i < end; i++) {
      const left = x(i).toFixed(1), right = x(i + 1).toFixed(1);
      upper += `L${left} ${(y(sound.high[i]) - 0.6).toFixed(1)}L${right} ${(y(sound.high[i]) - 0.6).toFixed(1)}`;
      const j = end - 1 - (i - bin);
      lower += `L${x(j + 1).toFixed(1)} ${(y(sound.low[j]) + 0.6).toFixed(1)}L${x(j).toFixed(1)} ${(y(sound.low[j]) + 0.6).toFixed(1)}`;
    }
    path += "M" + (upper + lower).slice(1) + "Z";
    bin = end;
  }
  return path;
}

/** Outlines as they came, read. @returns {Outlines} */
export function outlines(/** @type {any} */ raw) {
  const lanes = Object.fromEntries(Object.entries(raw.lanes).map(([lane, [low, high]]) => [lane, { low: decoded(low), high: decoded(high) }]));
  return { start: raw.start, end: raw.end, lanes };
}
