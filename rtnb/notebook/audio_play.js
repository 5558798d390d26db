// @ts-check
/** What the loudspeaker plays, and how much of it was heard. Runs in the audio thread. */

import { Resampler } from "./audio_dsp.js";

/**
 * What the loudspeaker plays: 24 kHz audio keyed by item, drawn at the device's rate.
 *
 * Real samples are never altered while an item plays: what avoids clicks (a short way up to the first sample, a short way
 * down from the last before a gap) is put around them. Only `stop` fades audio. Positions are counted in samples of the
 * source, so gaps while audio is missing count for no item. `heard` lags what was drawn by the output latency.
 */
export class PlayQueue {
  /** @param {number} rate @param {number} prebufferMs */
  constructor(rate, prebufferMs = 200) {
    this.resampler = new Resampler(24000, rate);
    this.rate = rate;
    this.prebuffer = Math.round(prebufferMs * 24);
    this.ramp = 72; // samples of 24 kHz: 3 ms
    this.fadeSamples = Math.round(rate * 0.005);
    /** @type {Map<string, {id: string, chunks: Float32Array[], first: number, queued: number, drawn: number, heard: number, told: number, ended: boolean}>} */
    this.items = new Map();
    /** @type {Set<string>} */
    this.stopped = new Set();
    /** @type {{at: number, n: number, item: any, offset: number}[]} */
    this.segments = []; // what was fed, in order, until it was heard
    this.fed = 0; // source samples fed, gaps included
    this.position = 0; // source position of the next output sample
    this.playing = false;
    this.waited = 0; // gap samples since audio waits for the prebuffer
    this.lead = 0;
    this.tail = 0;
    this.last = 0; // value of the sample fed last
    this.idle = Infinity; // gap samples fed since the last sound
    /** @type {Float32Array} */
    this.fade = new Float32Array(0);
    this.underruns = 0;
    this.late = 0; // samples that came for an item after it was stopped
  }

  /** @param {string} id @param {Float32Array} samples */
  add(id, samples) {
    const item = this.open(id);
    if (!item) this.late += samples.length;
    else if (samples.length) {
      item.chunks.push(samples);
      item.queued += samples.length;
    }
  }

  /** @param {string} id */
  open(id) {
    if (this.stopped.has(id)) return null;
    let item = this.items.get(id);
    if (!item) {
      item = { id, chunks: [], first: 0, queued: 0, drawn: 0, heard: 0, told: -1, ended: false };
      this.items.set(id, item);
    }
    return item;
  }

  /** @param {string} id */
  end(id) {
    const item = this.open(id);
    if (item) item.ended = true;
  }

  /** Silence after a 5 ms fade; the last report of each item, also of those named that never came. */
  stop(/** @type {string[]} */ named = [], latency = 0) {
    this.advance(latency);
    const reports = [...this.items.values()].map((item) => [item.id, item.heard, true]);
    for (const id of named) if (!this.items.has(id) && !this.stopped.has(id)) reports.push([id, 0, true]);
    if (this.playing || this.idle < 2 * this.resampler.half) {
      const fade = new Float32Array(this.fadeSamples);
      this.draw(fade);
      for (let i = 0; i < fade.length; i++) fade[i] *= 1 - (i + 1) / fade.length;
      this.fade = fade;
    }
    for (const [id] of reports) this.stopped.add(/** @type {string} */ (id));
    for (const id of this.stopped) if (this.stopped.size > 1000) this.stopped.delete(id);
    this.items.clear();
    this.segments = [];
    this.playing = false;
    this.waited = 0;
    this.rest();
    return reports;
  }

  /** Fill a block of the device's rate; true when it holds sound. @param {Float32Array} out @returns {boolean} */
  process(out) {
    let at = 0;
    if (this.fade.length) {
      at = Math.min(out.length, this.fade.length);
      out.set(this.fade.subarray(0, at));
      this.fade = this.fade.slice(at);
    }
    return this.draw(out.subarray(at)) || at > 0;
  }

  /** @param {Float32Array} out @returns {boolean} */
  draw(out) {
    if (!out.length) return false;
    const step = 24000 / this.rate;
    if (!this.playing && this.idle >= 2 * this.resampler.half + this.ramp) {
      if (!this.canStart(out.length * step)) {
        out.fill(0);
        this.position += out.length * step;
        return false;
      }
      this.rest();
    }
    const missing = this.resampler.missing(out.length);
    if (missing) this.resampler.feed(this.source(missing));
    this.resampler.take(out);
    this.position += out.length * step;
    return true;
  }

  /** Begin a new stream in the resampler, at the present position. */
  rest() {
    this.resampler.reset();
    this.position = Math.ceil(this.position);
    this.fed = this.position;
    this.last = this.tail = this.lead = 0;
    this.idle = Infinity;
  }

  head() {
    for (const item of this.items.values()) if (item.drawn < item.queued) return item;
    return null;
  }

  /** @param {number} gap samples of silence that would pass */
  canStart(gap) {
    let queued = 0;
    let complete = false;
    for (const item of this.items.values()) {
      if (item.drawn < item.queued) complete ||= item.ended;
      queued += item.queued - item.drawn;
    }
    if (!queued) return false;
    this.waited += gap;
    return complete || queued >= this.prebuffer || this.waited >= this.prebuffer;
  }

  /** The next `n` samples of the source. @param {number} n @returns {Float32Array} */
  source(n) {
    const out = new Float32Array(n);
    let at = 0;
    const gap = (/** @type {number} */ count, /** @type {(i: number) => number} */ value) => {
      for (let i = 0; i < count; i++) out[at + i] = value(i);
      this.segments.push({ at: this.fed + at, n: count, item: null, offset: 0 });
      at += count;
    };
    while (at < n) {
      if (!this.playing && this.tail === 0 && this.lead === 0 && this.canStart(n - at)) {
        this.playing = true;
        this.waited = 0;
        this.lead = Math.abs(this.first()) > 0.002 ? this.ramp : 0;
      }
      if (this.lead && this.playing) {
        const target = this.first();
        const from = this.ramp - this.lead;
        const count = Math.min(n - at, this.lead);
        gap(count, (i) => (target * (from + i + 1)) / (this.ramp + 1));
        this.lead -= count;
        continue;
      }
      const item = this.playing ? this.head() : null;
      if (item) {
        const chunk = item.chunks[0];
        const count = Math.min(n - at, chunk.length - item.first);
        out.set(chunk.subarray(item.first, item.first + count), at);
        this.segments.push({ at: this.fed + at, n: count, item, offset: item.drawn });
        item.first += count;
        item.drawn += count;
        at += count;
        if (item.first === chunk.length) {
          item.chunks.shift();
          item.first = 0;
        }
        this.last = out[at - 1];
        this.idle = 0;
        continue;
      }
      if (this.playing) {
        this.playing = false;
        this.tail = Math.abs(this.last) > 0.002 ? this.ramp : 0;
        if ([...this.items.values()].some((other) => !other.ended)) this.underruns++;
      }
      if (this.tail) {
        const left = this.tail;
        const count = Math.min(n - at, left);
        gap(count, (i) => (this.last * (left - i)) / (this.ramp + 1));
        this.tail -= count;
      } else {
        this.idle += n - at;
        gap(n - at, () => 0);
      }
    }
    this.fed += n;
    return out;
  }

  first() {
    const item = this.head();
    return item ? item.chunks[0][item.first] : 0;
  }

  /** Count what was heard by now. @param {number} latency samples of 24 kHz between drawing and the ear */
  advance(latency) {
    const now = this.position - latency;
    while (this.segments.length && this.segments[0].at < now) {
      const { at, n, item, offset } = this.segments[0];
      if (item) item.heard = Math.max(item.heard, offset + Math.floor(Math.min(n, now - at)));
      if (at + n > now) break;
      this.segments.shift();
    }
  }

  /** What is new since the last call: [item, samples heard, final]. @returns {[string, number, boolean][]} */
  reports(latency = 0) {
    this.advance(latency);
    /** @type {[string, number, boolean][]} */
    const out = [];
    for (const item of this.items.values()) {
      const final = item.ended && item.heard >= item.queued;
      if (final || item.heard !== item.told) out.push([item.id, item.heard, final]);
      item.told = item.heard;
      if (final) this.items.delete(item.id);
    }
    return out;
  }
}
