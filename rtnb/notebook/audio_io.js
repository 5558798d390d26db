// @ts-check
/**
 * AudioIO in the page: microphone and loudspeaker in one AudioContext at the device's rate.
 *
 * One plain ES module (a notebook loads it from a blob address, so it can import nothing). Three parts:
 *
 *   1. pure parts, named exports, tested by `node --test`: Resampler, FrameMaker, PlayQueue, FrameQueue, pack, refusal ...
 *      Those that run in the audio thread are copied into the worklet as text, so they may use only each other.
 *   2. lanes: how messages cross between page and kernel; the table of messages stands in `wires.py`.
 *   3. Engine (made in `initialize`, owns all sound) and view (made in `render`, only draws and asks the engine).
 */

export const RATE = 24000; // samples a second on every lane
export const FRAME = 960; // samples of one microphone frame: 40 ms

// ---------------------------------------------------------------- 1. pure parts

/** Greatest common divisor. @param {number} a @param {number} b @returns {number} */
export function gcd(a, b) {
  return b ? gcd(b, a % b) : a;
}

/**
 * Streaming band-limited resampler: windowed sinc (Kaiser, 90 dB), one set of taps for each phase.
 *
 * Sample n of the output stands exactly at n * from / to of the input: no delay in the samples, only `half` samples of
 * look-ahead. `feed` what comes, `take` what is ready; `flush` ends the stream with ceil(total * to / from) samples in all.
 * How the input is cut into pieces never changes a sample.
 */
export class Resampler {
  /** @param {number} from @param {number} to */
  constructor(from, to) {
    const divisor = gcd(from, to);
    this.up = to / divisor;
    this.down = from / divisor;
    const scale = Math.min(1, to / from);
    const same = this.up === this.down;
    this.half = same ? 1 : Math.ceil(40 / scale); // taps on each side, in input samples
    const width = 2 * this.half;
    const cutoff = scale * 0.9286; // the transition band ends at the Nyquist frequency of the lower rate
    const bessel = (/** @type {number} */ x) => {
      let sum = 1;
      for (let k = 1, term = 1; term > 1e-12 * sum; k++) sum += term *= (x / 2 / k) ** 2;
      return sum;
    };
    const beta = 8.96;
    this.taps = new Float32Array(this.up * width);
    for (let phase = 0; phase < this.up; phase++) {
      const row = new Float64Array(width);
      let sum = 0;
      for (let k = 0; k < width; k++) {
        const t = k - this.half + 1 - phase / this.up;
        const window = Math.abs(t) >= this.half ? 0 : bessel(beta * Math.sqrt(1 - (t / this.half) ** 2)) / bessel(beta);
        const x = Math.PI * cutoff * t;
        row[k] = same ? Number(t === 0) : window * (x === 0 ? 1 : Math.sin(x) / x);
        sum += row[k];
      }
      for (let k = 0; k < width; k++) this.taps[phase * width + k] = row[k] / sum; // unit gain at 0 Hz in every phase
    }
    this.buffer = new Float32Array(4096);
    this.reset();
  }

  reset() {
    this.buffer.fill(0);
    this.filled = this.half - 1; // silence stands before the first sample
    this.base = 0; // buffer index of the first tap of the next output
    this.phase = 0;
    this.fed = 0;
    this.made = 0;
  }

  /** How many outputs can be taken now. @returns {number} */
  ready() {
    const room = this.filled - this.base - 2 * this.half; // whole input steps that may still be made
    return room < 0 ? 0 : Math.floor(((room + 1) * this.up - 1 - this.phase) / this.down) + 1;
  }

  /** How many inputs are missing until `n` outputs are ready. @param {number} n @returns {number} */
  missing(n) {
    if (n <= 0) return 0;
    const last = Math.floor((this.phase + (n - 1) * this.down) / this.up);
    return Math.max(0, this.base + last + 2 * this.half - this.filled);
  }

  /** @param {Float32Array} x */
  feed(x) {
    if (this.filled + x.length > this.buffer.length) {
      const kept = this.buffer.subarray(this.base, this.filled);
      if (kept.length + x.length > this.buffer.length) {
        const larger = new Float32Array(2 * (kept.length + x.length));
        larger.set(kept);
        this.buffer = larger;
      } else this.buffer.copyWithin(0, this.base, this.filled);
      this.filled = kept.length;
      this.base = 0;
    }
    this.buffer.set(x, this.filled);
    this.filled += x.length;
    this.fed += x.length;
  }

  /** Write up to `n` outputs into `out` from `at`. @returns {number} how many */
  take(/** @type {Float32Array} */ out, at = 0, n = out.length - at) {
    const { buffer, taps, up, down } = this;
    const width = 2 * this.half;
    const count = Math.min(n, this.ready());
    for (let i = 0; i < count; i++) {
      const row = this.phase * width;
      let sum = 0;
      for (let k = 0; k < width; k++) sum += taps[row + k] * buffer[this.base + k];
      out[at + i] = sum;
      this.phase += down;
      this.base += Math.floor(this.phase / up);
      this.phase %= up;
    }
    this.made += count;
    return count;
  }

  /** @param {Float32Array} x @returns {Float32Array} */
  push(x) {
    this.feed(x);
    const out = new Float32Array(this.ready());
    this.take(out);
    return out;
  }

  /** The rest of the stream; afterwards a new stream begins. @returns {Float32Array} */
  flush() {
    const total = Math.ceil((this.fed * this.up) / this.down);
    const out = new Float32Array(Math.max(0, total - this.made));
    this.feed(new Float32Array(this.missing(out.length)));
    this.take(out);
    this.reset();
    return out;
  }
}

/** Float samples to PCM16, clipped. @param {Float32Array} x @returns {Int16Array} */
export function toPcm16(x) {
  const out = new Int16Array(x.length);
  for (let i = 0; i < x.length; i++) out[i] = Math.max(-32768, Math.min(32767, Math.round(x[i] * 32768)));
  return out;
}

/** PCM16 to float samples in [-1, 1). @param {Int16Array} x @returns {Float32Array} */
export function fromPcm16(x) {
  const out = new Float32Array(x.length);
  for (let i = 0; i < x.length; i++) out[i] = x[i] / 32768;
  return out;
}

/** Root mean square in dBFS, -100 for silence. @param {Float32Array} x @returns {number} */
export function levelDb(x) {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] * x[i];
  return Math.max(-100, 10 * Math.log10(sum / Math.max(1, x.length) + 1e-12));
}

/**
 * Microphone blocks at the device's rate to numbered 40 ms frames at 24 kHz.
 *
 * While nobody records, the newest `preroll_ms` are kept; `start` hands them out first, so that the syllable spoken while
 * the finger came down is not lost. `stop` hands out the last, shorter frame, marked.
 */
export class FrameMaker {
  /** @param {number} rate @param {number} prerollMs */
  constructor(rate, prerollMs = 300) {
    this.resampler = new Resampler(rate, 24000);
    this.frame = new Float32Array(960);
    this.filled = 0;
    this.recording = false;
    this.muted = false;
    this.seq = 0;
    /** @type {Float32Array[]} */
    this.ring = [];
    this.ringSize = Math.ceil(prerollMs / 40);
  }

  /** @param {boolean} last */
  emit(last) {
    const samples = this.frame.slice(0, this.filled);
    this.filled = 0;
    return { seq: this.seq++, pcm: toPcm16(samples), pre: false, last };
  }

  /** @returns {{seq: number, pcm: Int16Array, pre: boolean, last: boolean}[]} the frames from before the start */
  start() {
    if (this.recording) return [];
    this.recording = true;
    this.seq = 0;
    const kept = this.ring.map((x) => ({ seq: this.seq++, pcm: toPcm16(x), pre: true, last: false }));
    this.ring = [];
    return kept;
  }

  stop() {
    if (!this.recording) return [];
    const frames = [this.emit(true)];
    this.recording = false;
    return frames;
  }

  /** @param {Float32Array} block @returns {{frames: {seq: number, pcm: Int16Array, pre: boolean, last: boolean}[], levels: number[]}} */
  push(block) {
    const frames = [];
    const levels = [];
    const samples = this.resampler.push(block);
    for (let at = 0; at < samples.length; ) {
      const n = Math.min(samples.length - at, this.frame.length - this.filled);
      if (this.muted) this.frame.fill(0, this.filled, this.filled + n);
      else this.frame.set(samples.subarray(at, at + n), this.filled);
      this.filled += n;
      at += n;
      if (this.filled < this.frame.length) continue;
      levels.push(levelDb(this.frame));
      if (this.recording) frames.push(this.emit(false));
      else {
        if (this.ringSize) this.ring.push(this.frame.slice());
        while (this.ring.length > this.ringSize) this.ring.shift();
        this.filled = 0;
      }
    }
    return { frames, levels };
  }
}

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

/** Frames that wait for a lane: bounded, the oldest is dropped and counted. */
export class FrameQueue {
  /** @param {number} limit */
  constructor(limit) {
    this.limit = limit;
    /** @type {any[]} */
    this.frames = [];
    this.dropped = 0;
  }

  /** @param {any} frame */
  push(frame) {
    this.frames.push(frame);
    while (this.frames.length > this.limit) {
      this.frames.shift();
      this.dropped++;
    }
  }

  shift() {
    return this.frames.shift();
  }
}

/**
 * One message of a WebSocket: length of the header (uint16, little endian), header as JSON padded to an even length, bytes.
 * @param {object} header @param {ArrayBufferView | ArrayBuffer} [payload] @returns {Uint8Array}
 */
export function pack(header, payload) {
  let text = new TextEncoder().encode(JSON.stringify(header));
  if (text.length % 2) text = new TextEncoder().encode(JSON.stringify(header) + " ");
  const bytes = payload ? asBytes(payload) : new Uint8Array(0);
  const out = new Uint8Array(2 + text.length + bytes.length);
  new DataView(out.buffer).setUint16(0, text.length, true);
  out.set(text, 2);
  out.set(bytes, 2 + text.length);
  return out;
}

/** @param {ArrayBuffer} buffer @returns {[any, Uint8Array]} */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint16(0, true);
  return [JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 2, length))), new Uint8Array(buffer, 2 + length)];
}

/** @param {ArrayBufferView | ArrayBuffer} x @returns {Uint8Array} */
export function asBytes(x) {
  return ArrayBuffer.isView(x) ? new Uint8Array(x.buffer, x.byteOffset, x.byteLength) : new Uint8Array(x);
}

/** Bytes of PCM16 as numbers, whatever their alignment. @param {ArrayBufferView | ArrayBuffer} x @returns {Int16Array} */
export function asPcm16(x) {
  const bytes = asBytes(x);
  return new Int16Array(bytes.slice(0, bytes.length & ~1).buffer);
}

/** @param {ArrayBufferView | ArrayBuffer} x @returns {string} */
export function toBase64(x) {
  let text = "";
  const bytes = asBytes(x);
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

/** @param {string} text @returns {Uint8Array} */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/** @param {number[]} values @returns {number} */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

/**
 * Why there is no microphone, and what to do, in words.
 * @param {{name?: string, message?: string, constraint?: string} | null} error what getUserMedia threw; null: before it was asked
 * @param {{secure: boolean, vscode: boolean, mediaDevices: boolean, policy: boolean, host: string}} page
 * @returns {string} empty when nothing speaks against asking
 */
export function refusal(error, page) {
  const next = " Without one you can still type, send a recorded clip, or use the kernel's microphone (rtnb.notebook.kernel_audio).";
  if (page.vscode)
    return "VS Code gives notebooks no microphone. Open this notebook in JupyterLab in a browser to speak." + next;
  if (!page.secure)
    return `Browsers give the microphone only to secure pages, and http://${page.host} is not one. Open the page through https, or through localhost (an SSH tunnel will do).` + next;
  if (!page.mediaDevices) return "This browser or window offers no microphone to pages (navigator.mediaDevices is missing)." + next;
  if (!page.policy)
    return "The server forbids the microphone to this page (Permissions-Policy header, or a frame without allow=\"microphone\"). Ask whoever runs the server." + next;
  if (!error) return "";
  const said = error.message || "";
  switch (error.name) {
    case "NotFoundError":
    case "DevicesNotFoundError":
      return "No microphone was found. Plug one in, or switch it on in the system's sound settings, and press the button again." + next;
    case "NotAllowedError":
    case "PermissionDeniedError":
      if (/system/i.test(said))
        return "The operating system denies the microphone to this browser. Allow it in the system's privacy settings, then press the button again." + next;
      if (/dismiss/i.test(said))
        return "The browser's question about the microphone was closed without an answer. Press the button again and choose Allow.";
      return "The microphone was refused to this page. Allow it with the icon at the left of the address bar, then press the button again." + next;
    case "NotReadableError":
    case "TrackStartError":
      return "The microphone is there but cannot be opened: another program may be using it. Close that program, or choose another microphone." + next;
    case "OverconstrainedError":
    case "ConstraintNotSatisfiedError":
      return `The chosen microphone is not there any more, or cannot do what was asked (${error.constraint || "device"}). Choose another one in the list.`;
    case "AbortError":
      return "The system stopped the microphone while it was being opened. Press the button again." + next;
    case "SecurityError":
      return "The browser's settings forbid the microphone on this page." + next;
    default:
      return `The microphone could not be opened (${error.name || "error"}: ${said || "no reason given"}).` + next;
  }
}

/**
 * The addresses at which the kernel's own WebSocket may be reached, best first.
 * @param {{protocol: string, hostname: string, host: string}} location @param {string} baseUrl @param {number} port
 * @returns {{name: string, url: string}[]}
 */
export function socketAddresses(location, baseUrl, port) {
  const out = [];
  if (!port) return out; // the kernel could not open its socket
  const local = /^(localhost|127(\.\d+){3}|\[?::1\]?)$/.test(location.hostname);
  if (local || location.protocol.startsWith("vscode")) out.push({ name: "websocket", url: `ws://127.0.0.1:${port}/` });
  if (location.protocol.startsWith("http")) {
    const base = (baseUrl.startsWith("/") ? baseUrl : "/").replace(/\/*$/, "/");
    out.push({ name: "proxy", url: `${location.protocol.replace("http", "ws")}//${location.host}${base}proxy/${port}/` });
  }
  return out;
}

// ---------------------------------------------------------------- the audio thread

/** Runs inside the AudioWorklet, beside the classes above. @type {() => void} */
function registerProcessors() {
  // @ts-ignore: names of the AudioWorkletGlobalScope
  const [Base, register, rate] = [AudioWorkletProcessor, registerProcessor, sampleRate];

  class Capture extends Base {
    constructor(/** @type {any} */ options) {
      super();
      this.maker = new FrameMaker(rate, options.processorOptions.prerollMs);
      this.port.onmessage = (/** @type {any} */ { data }) => {
        if ("muted" in data) this.maker.muted = data.muted;
        if (data.recording === true) this.post(this.maker.start());
        if (data.recording === false) this.post(this.maker.stop());
      };
    }
    post(/** @type {any[]} */ frames, level = /** @type {number | undefined} */ (undefined)) {
      if (frames.length || level !== undefined)
        this.port.postMessage({ frames, level }, frames.map((frame) => frame.pcm.buffer));
    }
    process(/** @type {Float32Array[][]} */ [input]) {
      if (!input.length) return true;
      const { frames, levels } = this.maker.push(input[0]);
      this.post(frames, levels.length ? Math.max(...levels) : undefined);
      return true;
    }
  }

  class Play extends Base {
    constructor(/** @type {any} */ options) {
      super();
      this.queue = new PlayQueue(rate, options.processorOptions.prebufferMs);
      this.latency = 0;
      this.volume = options.processorOptions.volume ?? 1;
      this.gain = this.volume;
      this.sinceReport = 0;
      this.sounding = false;
      this.port.onmessage = (/** @type {any} */ { data }) => {
        if (data.pcm) this.queue.add(data.item, fromPcm16(data.pcm));
        else if (data.end) this.queue.end(data.end);
        else if (data.stop) this.tell(this.queue.stop(data.stop, this.latency), true);
        else if ("volume" in data) this.volume = data.volume;
        else if ("latency" in data) this.latency = data.latency * 24000;
      };
    }
    tell(/** @type {any[]} */ reports, stopped = false) {
      const { underruns, late } = this.queue;
      this.port.postMessage({ reports, stopped, sounding: this.sounding, underruns, late });
    }
    process(/** @type {any} */ _, /** @type {Float32Array[][]} */ [output]) {
      const sounding = this.queue.process(output[0]);
      if (this.gain !== 1 || this.volume !== 1) {
        const [from, step] = [this.gain, (this.volume - this.gain) / output[0].length]; // a jump would click
        for (let i = 0; i < output[0].length; i++) output[0][i] *= from + step * (i + 1);
        this.gain = this.volume;
      }
      for (const channel of output.slice(1)) channel.set(output[0]);
      this.sinceReport += output[0].length;
      if (this.sinceReport >= rate / 10 || sounding !== this.sounding) {
        this.sinceReport = 0;
        const changed = sounding !== this.sounding;
        this.sounding = sounding;
        const reports = this.queue.reports(this.latency);
        if (reports.length || changed) this.tell(reports);
      }
      return true;
    }
  }

  register("rtnb-capture", Capture);
  register("rtnb-play", Play);
}

/** The text of the worklet module. @returns {string} */
export function workletSource() {
  return [gcd, Resampler, toPcm16, fromPcm16, levelDb, FrameMaker, PlayQueue, registerProcessors, "registerProcessors();"]
    .map(String)
    .join("\n");
}

// ---------------------------------------------------------------- 2. lanes

const PROBE = Uint8Array.of(1, 2, 254, 255); // bytes that show whether a front end loses binary buffers

/** Reject after a while. @template T @param {Promise<T>} promise @param {number} ms @param {string} what @returns {Promise<T>} */
function within(promise, ms, what) {
  /** @type {any} */
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`${what}: no answer in ${ms} ms`)), ms)));
  return Promise.race([promise, /** @type {Promise<never>} */ (late)]).finally(() => clearTimeout(timer));
}

/** The page's end of all lanes: finds the best one, keeps it, carries messages over it. */
class Link {
  /** @param {any} engine */
  constructor(engine) {
    this.engine = engine;
    this.model = engine.model;
    this.page = [...crypto.getRandomValues(new Uint8Array(8))].map((x) => x.toString(16).padStart(2, "0")).join("");
    this.lane = /** @type {any} */ (null);
    this.name = "";
    this.ms = NaN;
    this.tried = /** @type {string[]} */ ([]);
    this.seen = 0; // number of the last message of the kernel's that was carried out
    this.queue = new FrameQueue(200); // 8 s of frames
    this.waiting = /** @type {Map<string, (value: any) => void>} */ (new Map());
    this.closed = false;
    this.round = 0;
    this.onCustom = this.onCustom.bind(this);
    this.model.on("msg:custom", this.onCustom);
  }

  get kernel() {
    return this.model.widget_manager?.kernel ?? null;
  }

  /** Try the lanes, best first. */
  async connect() {
    const round = ++this.round;
    const current = () => round === this.round && !this.closed;
    for (let pause = 200; current(); pause = Math.min(5000, 2 * pause)) {
      this.tried = [];
      const address = this.model.get("_address") || {};
      const allowed = this.model.get("lanes") || [];
      const baseUrl = JSON.parse(document.getElementById("jupyter-config-data")?.textContent || "{}").baseUrl || "/";
      const openers = socketAddresses(window.location, baseUrl, address.port).map(({ name, url }) => [
        name,
        () => this.openSocket(name, url, address),
      ]);
      openers.push(["control", () => this.openControl()], ["comm", () => this.openComm()]);
      for (const [name, open] of openers) {
        if (!allowed.includes(name) || !current()) continue;
        try {
          const lane = await /** @type {any} */ (open)();
          if (!current()) return lane.close();
          return this.use(lane);
        } catch (error) {
          this.tried.push(`${name}: ${/** @type {Error} */ (error).message}`);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  hello() {
    const { token } = this.model.get("_address") || {};
    const { page, round, seen } = this;
    return { kind: "hello", token, page, round, seen, take: this.engine.taking, state: this.engine.state() };
  }

  /** @param {string} name @param {string} url @param {any} address */
  async openSocket(name, url, address) {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    const lane = {
      name,
      send: (/** @type {any} */ header, /** @type {any} */ payload) =>
        socket.send(payload ? pack(header, payload) : JSON.stringify(header)),
      busy: () => socket.bufferedAmount > 96_000 || socket.readyState !== 1,
      close: () => socket.close(),
    };
    try {
      await within(
        new Promise((resolve, reject) => {
          socket.onerror = socket.onclose = () => reject(new Error("no connection"));
          socket.onmessage = ({ data }) => {
            const [header, payload] = typeof data === "string" ? [JSON.parse(data), null] : unpack(data);
            // The server names itself first: the token goes to our kernel only, not to whoever has the port.
            if (header.kind === "rtnb" && header.id === address.id) lane.send({ ...this.hello(), lane: name }, null);
            else if (header.kind === "rtnb") reject(new Error("another program listens there"));
            else if (header.kind === "welcome") resolve(header);
            if (header.kind !== "rtnb") this.receive(header, payload);
          };
        }),
        2500,
        name,
      );
    } catch (error) {
      socket.onmessage = socket.onclose = null;
      socket.close();
      throw error;
    }
    socket.onclose = () => this.lost(lane);
    return lane;
  }

  /** The kernel's control channel with a message type of our own; answers come as widget messages. */
  async openControl() {
    const kernel = this.kernel;
    if (!kernel?.sendControlMessage) throw new Error("the front end gives no way to it");
    const lane = this.messageLane("control", (content, buffers) => {
      const header = { msg_id: `${this.page}-${Math.random()}`, msg_type: "rtnb_audio", session: kernel.clientId };
      const whole = { ...header, username: kernel.username, version: "5.2", date: new Date().toISOString() };
      kernel.sendControlMessage({ header: whole, parent_header: {}, metadata: {}, content, channel: "control", buffers }, false, true);
    });
    await this.greet(lane, 2500);
    return lane;
  }

  /** The widget's own comm: it may answer only when no cell runs, so it is not waited for. */
  async openComm() {
    const lane = this.messageLane("comm", (content, buffers) => this.model.send(content, undefined, buffers));
    this.greet(lane, 3_600_000).catch(() => {});
    return lane;
  }

  /** @param {string} name @param {(content: any, buffers: ArrayBuffer[]) => void} post */
  messageLane(name, post) {
    const lane = {
      name,
      binary: true,
      send: (/** @type {any} */ header, /** @type {any} */ payload) => {
        const content = { rtnb: this.model.get("_address")?.link, page: this.page, ...header };
        if (!payload) return post(content, []);
        const bytes = asBytes(payload);
        if (lane.binary) post(content, [/** @type {ArrayBuffer} */ (bytes.slice().buffer)]);
        else post({ ...content, data64: toBase64(bytes) }, []);
      },
      busy: () => this.kernel && this.kernel.connectionStatus !== undefined && this.kernel.connectionStatus !== "connected",
      close: () => {},
    };
    return lane;
  }

  /** @param {any} lane @param {number} ms */
  async greet(lane, ms) {
    const answer = this.expect(`welcome-${lane.name}`);
    lane.send({ ...this.hello(), lane: lane.name }, PROBE);
    const header = await within(answer, ms, lane.name);
    lane.binary = header.buffers !== false;
    lane.send({ kind: "buffers", ok: header.payloadSeen === true }, null);
  }

  /** @param {string} key */
  expect(key) {
    return new Promise((resolve) => this.waiting.set(key, resolve));
  }

  /** @param {any} lane */
  async use(lane) {
    this.lane = lane;
    this.name = lane.name;
    this.ms = NaN;
    this.engine.onLane();
    this.flush();
    // The first look comes while the page is busy drawing the widget, so the second replaces it.
    for (let silent = 0, looks = 0; this.lane === lane; ) {
      const times = [];
      for (let i = 0; i < (looks < 2 ? 5 : 1) && this.lane === lane; i++) {
        const key = `pong-${performance.now()}`;
        const answer = this.expect(key);
        const start = performance.now();
        try {
          lane.send({ kind: "ping", key }, null);
          await within(answer, lane.name === "comm" ? 3_600_000 : 5000, "ping");
          times.push(performance.now() - start);
          silent = 0;
        } catch {
          this.waiting.delete(key);
          if (++silent > 2 && this.lane === lane) return this.lost(lane);
        }
      }
      if (times.length && this.lane === lane) {
        const ms = median(times);
        this.ms = looks < 2 ? ms : 0.7 * this.ms + 0.3 * ms;
        lane.send({ kind: "lane", name: lane.name, ms: Math.round(10 * this.ms) / 10, tried: this.tried }, null);
        this.engine.changed();
      }
      await new Promise((resolve) => setTimeout(resolve, looks++ ? 5000 : 1500));
    }
  }

  /** @param {any} lane */
  lost(lane) {
    if (this.lane !== lane) return;
    lane.close();
    this.lane = null;
    this.name = "";
    this.engine.onLane();
    if (!this.closed && !this.engine.replaced) this.connect();
  }

  /** A widget message of the kernel's: the way back of the control lane and of the comm. */
  onCustom(/** @type {any} */ content, /** @type {DataView[]} */ buffers) {
    if (content?.rtnb !== this.page) return;
    const payload = content.data64 ? fromBase64(content.data64) : buffers?.[0] ?? null;
    if (content.kind === "welcome") content.payloadSeen = !!payload && asBytes(payload).join() === PROBE.join();
    this.receive(content, payload);
  }

  receive(/** @type {any} */ header, /** @type {any} */ payload) {
    const key = header.kind === "pong" ? header.key : header.kind === "welcome" ? `welcome-${header.lane}` : "";
    if (key) {
      this.waiting.get(key)?.(header);
      this.waiting.delete(key);
      if (header.kind === "pong") return;
    }
    if (header.seq !== undefined) {
      if (header.seq <= this.seen) return; // sent again after a lane was lost
      this.seen = header.seq;
      this.ackTimer ??= setTimeout(() => this.ack(), 200);
    }
    this.engine.receive(header, payload);
  }

  ack() {
    clearTimeout(this.ackTimer);
    this.ackTimer = undefined;
    this.send({ kind: "ack", seq: this.seen });
  }

  /** @param {any} header @param {ArrayBufferView} [payload] @returns {boolean} */
  send(header, payload) {
    if (!this.lane) return false;
    try {
      this.lane.send(header, payload ?? null);
      return true;
    } catch {
      return false;
    }
  }

  /** Microphone frames wait here while there is no lane, or a full one. */
  sendFrame(/** @type {any} */ header, /** @type {ArrayBufferView} */ payload) {
    this.queue.push([header, payload]);
    this.flush();
  }

  flush() {
    while (this.queue.frames.length && this.lane && !this.lane.busy()) {
      const [header, payload] = this.queue.shift();
      if (!this.send({ ...header, dropped: this.queue.dropped }, payload)) break;
    }
    clearTimeout(this.flushTimer);
    if (this.queue.frames.length && !this.closed) this.flushTimer = setTimeout(() => this.flush(), 50);
  }

  close() {
    if (this.closed) return;
    this.send({ kind: "bye" });
    this.closed = true;
    this.round++;
    const lane = this.lane;
    this.lane = null;
    lane?.close();
    this.model.off("msg:custom", this.onCustom);
  }
}

// ---------------------------------------------------------------- 3. engine and view

/** All sound of one AudioIO in this page. Made once per model, so two views never play twice. */
class Engine {
  /** @param {any} model @param {AbortSignal} signal */
  constructor(model, signal) {
    this.model = model;
    this.views = /** @type {Set<() => void>} */ (new Set());
    this.context = /** @type {AudioContext | null} */ (null);
    this.player = /** @type {AudioWorkletNode | null} */ (null);
    this.capture = /** @type {AudioWorkletNode | null} */ (null);
    this.stream = /** @type {MediaStream | null} */ (null);
    this.sound = "off"; // off, starting, running, blocked (needs a click), failed
    this.microphone = "off"; // off, opening, on, refused
    this.recording = false;
    this.wanted = false; // somebody wants to record, although the microphone may still be opening
    this.muted = !!model.get("muted");
    this.mutes = model.get("_mutes") ?? 0; // how often the kernel has set it, as far as this page knows
    this.sounding = false;
    this.level = -100;
    this.error = "";
    this.devices = /** @type {{id: string, label: string}[]} */ ([]);
    this.outputs = /** @type {{id: string, label: string}[]} */ ([]);
    this.volume = 1; // 0 to 1
    this.output = ""; // id of the loudspeaker; empty: the system's own choice
    this.take = 0; // number of the recording; frames carry it
    this.taking = false; // this page asked to be the one that plays
    this.replaced = false; // another page plays
    this.closed = false;
    this.link = new Link(this);
    this.listeners = new AbortController();
    const options = { signal: this.listeners.signal, capture: true };
    const gesture = () => this.resume();
    document.addEventListener("pointerdown", gesture, options);
    document.addEventListener("keydown", gesture, options);
    window.addEventListener("pagehide", () => this.close(), options);
    window.addEventListener("pageshow", (event) => event.persisted && this.open(), { signal });
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.listDevices(), options);
    model.on("change:device", () => this.microphone === "on" && this.reopen());
    model.on("change:source", () => this.microphone === "on" && this.reopen());
    model.on("comm:close", () => this.close());
    this.onStatus = (/** @type {any} */ _, /** @type {string} */ status) => {
      if (["restarting", "autorestarting", "terminating", "dead"].includes(status)) this.close();
    };
    this.kernel = this.link.kernel;
    this.kernel?.statusChanged?.connect?.(this.onStatus);
    signal.addEventListener("abort", () => this.close());
    this.link.connect();
  }

  /** After the page came back from the browser's cache. */
  open() {
    this.closed = false;
    this.link = new Link(this);
    this.link.connect();
    this.changed();
  }

  /** Leave nothing open: no track, no context, no lane. */
  close() {
    if (this.closed) return;
    this.closed = true;
    this.wanted = this.recording = false;
    this.closeMicrophone();
    this.link.close();
    this.context?.close().catch(() => {});
    this.context = this.player = null;
    this.starting = undefined;
    this.sound = "off";
    this.kernel?.statusChanged?.disconnect?.(this.onStatus);
    this.changed();
  }

  state() {
    const { recording, microphone, sound, muted, mutes, error, devices, sounding, take } = this;
    return { recording, microphone, sound, muted, mutes, error, devices, sounding, take };
  }

  /** Something of the state changed: redraw, and tell the kernel once. */
  changed() {
    for (const draw of this.views) draw();
    if (this.telling) return;
    this.telling = true;
    queueMicrotask(() => {
      this.telling = false;
      const text = JSON.stringify(this.state());
      if (text !== this.told && this.link.send({ kind: "state", ...this.state() })) this.told = text;
    });
  }

  onLane() {
    clearTimeout(this.laneTimer);
    this.told = "";
    // Whoever cannot be heard by the kernel has no reason to hold the microphone.
    if (!this.link.lane) this.laneTimer = setTimeout(() => this.microphone !== "off" && this.closeMicrophone(), 15_000);
    this.changed();
  }

  /** @param {any} header @param {any} payload */
  receive(header, payload) {
    switch (header.kind) {
      case "play":
        return this.toPlayer({ item: header.item, pcm: asPcm16(payload) });
      case "end":
        return this.toPlayer({ end: header.item });
      case "stop":
        return this.toPlayer({ stop: header.items });
      case "mic":
        return header.on ? this.record(true) : this.record(false, header.release);
      case "mute":
        this.mutes = Math.max(this.mutes, header.n);
        this.mute(header.on);
        return this.changed();
      case "welcome":
        this.replaced = header.active === false;
        this.taking = false;
        return this.changed();
      case "replaced":
        this.replaced = true;
        this.record(false, true);
        this.toPlayer({ stop: [] });
        return this.changed();
    }
  }

  /** Play here, not in the other page. */
  takeOver() {
    this.taking = true;
    this.replaced = false;
    if (!this.link.send({ ...this.link.hello(), lane: this.link.name })) this.link.connect();
    this.changed();
  }

  // ---- sound

  /** The context, made when first needed; resolves when its worklet stands (it may still wait for a gesture). */
  start() {
    this.starting ??= (async () => {
      this.sound = "starting";
      const rate = this.model.get("context_rate");
      const context = new AudioContext({ latencyHint: "interactive", ...(rate ? { sampleRate: rate } : {}) });
      this.context = context;
      if (!context.audioWorklet) throw new Error("this page is not secure: open it through https or localhost");
      const url = URL.createObjectURL(new Blob([workletSource()], { type: "text/javascript" }));
      await context.audioWorklet.addModule(url).finally(() => URL.revokeObjectURL(url));
      const player = new AudioWorkletNode(context, "rtnb-play", {
        numberOfInputs: 0,
        outputChannelCount: [2],
        processorOptions: { prebufferMs: this.model.get("prebuffer_ms"), volume: this.volume },
      });
      player.port.onmessage = ({ data }) => this.onPlayed(data);
      player.connect(context.destination);
      this.player = player;
      if (this.output) this.setOutput(this.output);
      context.onstatechange = () => this.onContext();
      this.onContext();
      this.resume();
      return context;
    })().catch((error) => {
      this.sound = "failed";
      this.error = `This page cannot play or record sound (${error.message}).`;
      this.changed();
      throw error;
    });
    return this.starting;
  }

  onContext() {
    if (!this.context || this.closed) return;
    this.sound = this.context.state === "running" ? "running" : "blocked";
    this.changed();
  }

  /** A resume() that waits for a gesture is not fulfilled by a later one: ask again in each. */
  resume() {
    if (this.context && this.context.state !== "running" && this.context.state !== "closed") this.context.resume().catch(() => {});
  }

  /** @param {any} message */
  toPlayer(message) {
    if (this.closed) return;
    const post = () => this.player?.port.postMessage(message, message.pcm ? [message.pcm.buffer] : []);
    if (this.player) return post();
    this.pending = (this.pending ?? Promise.resolve()).then(() => this.start()).then(post, () => {});
  }

  /** @param {number} volume 0 to 1 */
  setVolume(volume) {
    this.volume = volume;
    this.player?.port.postMessage({ volume });
    this.changed();
  }

  /** Play through another loudspeaker, where the browser can (setSinkId). @param {string} id */
  async setOutput(id) {
    this.output = id;
    const context = /** @type {any} */ (this.context);
    if (!context?.setSinkId) return this.changed();
    await context.setSinkId(id).catch((/** @type {Error} */ error) => {
      this.output = "";
      this.error = `That loudspeaker cannot be used (${error.message}); the system's own one plays.`;
    });
    this.changed();
  }

  /** Silence, decided here: the kernel may be busy. */
  silence() {
    if (this.player) this.player.port.postMessage({ stop: [] });
  }

  onPlayed(/** @type {any} */ { reports, stopped, sounding, underruns, late }) {
    if (reports.length) this.link.send({ kind: "heard", reports, stopped, underruns, late });
    if (sounding !== this.sounding) {
      this.sounding = sounding;
      this.changed();
    }
    const latency = this.context?.outputLatency || this.context?.baseLatency || 0;
    this.player?.port.postMessage({ latency });
  }

  // ---- microphone

  page() {
    const doc = /** @type {any} */ (document);
    const policy = doc.permissionsPolicy ?? doc.featurePolicy;
    return {
      secure: window.isSecureContext !== false,
      vscode: window.location.protocol.startsWith("vscode") || /vscode-(cdn|webview)/.test(window.location.host),
      mediaDevices: !!navigator.mediaDevices?.getUserMedia,
      policy: policy?.allowsFeature ? policy.allowsFeature("microphone") : true,
      host: window.location.host,
    };
  }

  /** Why there can be no microphone in this page, before anybody asks for it; empty when nothing speaks against it. */
  refusal() {
    return this.model.get("source") ? "" : refusal(null, this.page());
  }

  /** @returns {Promise<MediaStream>} */
  async openStream() {
    const source = this.model.get("source");
    if (source) {
      const other = await this.model.widget_manager.get_model(String(source).replace("IPY_MODEL_", ""));
      return other.captureStream();
    }
    const reason = refusal(null, this.page());
    if (reason) throw new Error(reason);
    const device = this.model.get("device");
    const audio = {
      channelCount: 1,
      echoCancellation: this.model.get("echo_cancellation"),
      noiseSuppression: this.model.get("noise_suppression"),
      autoGainControl: this.model.get("auto_gain"),
      ...(device ? { deviceId: { exact: device } } : {}),
    };
    return navigator.mediaDevices.getUserMedia({ audio }).catch((error) => {
      throw new Error(refusal(error, this.page()));
    });
  }

  /** Opened once, whoever asks; resolves to whether it is open. */
  openMicrophone() {
    clearTimeout(this.closeTimer);
    this.opening ??= (async () => {
      this.microphone = "opening";
      this.error = "";
      this.changed();
      const context = await this.start();
      const stream = await this.openStream();
      const owned = !this.model.get("source");
      const release = () => owned && stream.getTracks().forEach((track) => track.stop());
      if (this.closed || !this.opening) return release(), false;
      this.stream = stream;
      this.release = release;
      const node = context.createMediaStreamSource(stream);
      this.capture = new AudioWorkletNode(context, "rtnb-capture", {
        channelCount: 1,
        channelCountMode: "explicit",
        processorOptions: { prerollMs: this.model.get("preroll_ms") },
      });
      this.capture.port.onmessage = ({ data }) => this.onCaptured(data);
      node.connect(this.capture).connect(context.destination); // silent; keeps the node running in every browser
      this.inlet = node;
      this.applyMute();
      stream.getAudioTracks()[0]?.addEventListener("ended", () => this.onEnded(stream));
      this.microphone = "on";
      this.listDevices();
      this.changed();
      return true;
    })().catch((error) => {
      this.opening = undefined;
      this.microphone = "refused";
      this.wanted = this.recording = false;
      this.error = error.message;
      this.changed();
      return false;
    });
    return this.opening;
  }

  onEnded(/** @type {MediaStream} */ stream) {
    if (this.stream !== stream) return;
    this.closeMicrophone();
    this.error = "The microphone was unplugged, or the browser took it back. Press the button to open it again.";
    this.changed();
  }

  closeMicrophone() {
    clearTimeout(this.closeTimer);
    if (this.recording) this.link.sendFrame({ kind: "audio", take: this.take, seq: -1, last: true }, new Uint8Array(0));
    this.wanted = this.recording = false;
    this.opening = undefined;
    this.release?.();
    this.inlet?.disconnect();
    this.capture?.disconnect();
    this.inlet = this.release = undefined;
    this.stream = this.capture = null;
    this.microphone = "off";
    this.level = -100;
    this.changed();
  }

  async reopen() {
    const recording = this.recording;
    this.closeMicrophone();
    if (recording) await this.record(true);
    else await this.openMicrophone();
  }

  /** Start or stop to hand microphone frames to the kernel. */
  async record(/** @type {boolean} */ on, release = false) {
    if (this.replaced && on) return;
    this.wanted = on;
    if (on) {
      if (!(await this.openMicrophone()) || !this.wanted || this.recording) return;
      this.take++;
      this.recording = true;
      this.capture?.port.postMessage({ recording: true });
      this.changed();
    } else {
      if (this.recording) this.capture?.port.postMessage({ recording: false });
      const seconds = release ? 0.2 : this.model.get("keep_open_s");
      clearTimeout(this.closeTimer);
      if (this.microphone !== "off") this.closeTimer = setTimeout(() => this.wanted || this.closeMicrophone(), 1000 * seconds);
    }
  }

  onCaptured(/** @type {any} */ { frames, level }) {
    for (const { seq, pcm, pre, last } of frames) {
      if (!this.recording) continue;
      this.link.sendFrame({ kind: "audio", take: this.take, seq, pre, last }, pcm);
      if (!last) continue;
      this.recording = false;
      this.changed();
      if (this.wanted) this.record(true); // pressed again before the last frame came
    }
    if (level === undefined) return;
    this.level = level;
    for (const draw of this.views) draw();
  }

  mute(/** @type {boolean} */ on) {
    if (this.muted === !!on) return;
    this.muted = !!on;
    this.applyMute();
    this.changed();
  }

  applyMute() {
    this.capture?.port.postMessage({ muted: this.muted });
    if (this.release) this.stream?.getAudioTracks().forEach((track) => (track.enabled = !this.muted));
  }

  async listDevices() {
    const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    this.devices = all
      .filter(({ kind, deviceId }) => kind === "audioinput" && deviceId)
      .map(({ deviceId, label }, i) => ({ id: deviceId, label: label || `Microphone ${i + 1}` }));
    this.outputs = all
      .filter(({ kind, deviceId }) => kind === "audiooutput" && deviceId && deviceId !== "default")
      .map(({ deviceId, label }, i) => ({ id: deviceId, label: label || `Loudspeaker ${i + 1}` }));
    this.changed();
  }

  pickDevice(/** @type {string} */ id) {
    this.model.set("device", id);
    this.link.send({ kind: "device", id });
  }
}

const STYLE = `
.rtnb-io { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 8px; padding: 4px 2px; max-width: 60em;
  font: var(--jp-ui-font-size1, 13px)/1.4 var(--jp-ui-font-family, system-ui, sans-serif); color: var(--jp-ui-font-color1, #222); }
.rtnb-io button, .rtnb-io select { font: inherit; color: inherit; height: 28px; border-radius: 4px; padding: 0 10px;
  border: 1px solid var(--jp-border-color1, #bbb); background: var(--jp-layout-color1, #fff); }
.rtnb-io select { max-width: 14em; padding: 0 4px; }
.rtnb-io button { cursor: pointer; }
.rtnb-io button:hover { background: var(--jp-layout-color2, #eee); }
.rtnb-io :is(button, select):focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
.rtnb-io .rtnb-mic { min-width: 8.5em; font-weight: 600; touch-action: none; user-select: none; }
.rtnb-io .rtnb-mic[aria-pressed=true] { background: var(--jp-error-color1, #d32f2f); border-color: transparent; color: #fff; }
.rtnb-io .rtnb-on { background: var(--jp-warn-color1, #f57c00); border-color: transparent; color: #111; }
.rtnb-io .rtnb-meter { width: 92px; height: 8px; border-radius: 4px; overflow: hidden; background: var(--jp-layout-color3, #ddd); }
.rtnb-io .rtnb-meter i { display: block; height: 100%; width: 100%; transform-origin: left; transform: scaleX(0);
  background: var(--jp-success-color1, #388e3c); }
.rtnb-io .rtnb-lane { margin-left: auto; font-size: var(--jp-ui-font-size0, 11px); color: var(--jp-ui-font-color2, #666); }
.rtnb-io .rtnb-note { flex-basis: 100%; }
.rtnb-io .rtnb-note.rtnb-bad { color: var(--jp-error-color1, #d32f2f); }
.rtnb-io [hidden] { display: none; }`;

const LANES = /** @type {Record<string, string>} */ ({
  websocket: "direct socket",
  proxy: "socket through the server",
  control: "control channel",
  comm: "widget messages",
});

const COMM_WARNING =
  "Audio goes over widget messages here, the last resort: while the microphone streams, outputs of running cells may appear late, twice or in the wrong place.";

/** Draw the engine into `el`. @param {{engine: Engine, el: HTMLElement}} options @returns {() => void} */
function view({ engine, el }) {
  const abort = new AbortController();
  const root = document.createElement("div");
  root.className = "rtnb-io";
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Microphone and loudspeaker");
  root.innerHTML = `<style>${STYLE}</style>
    <button class="rtnb-mic" type="button" aria-pressed="false" title="Hold to talk, or click to latch. Space and Enter do the same, Escape ends."></button>
    <button class="rtnb-mute" type="button" aria-pressed="false"></button>
    <div class="rtnb-meter" role="meter" aria-label="Microphone level" aria-valuemin="-60" aria-valuemax="0"><i></i></div>
    <select aria-label="Microphone"></select>
    <button class="rtnb-quiet" type="button" title="Stop the voice">Silence</button>
    <button class="rtnb-enable rtnb-on" type="button">Enable sound</button>
    <button class="rtnb-here rtnb-on" type="button">Use this page</button>
    <span class="rtnb-lane"></span>
    <div class="rtnb-note" role="status"></div>`;
  el.replaceChildren(root);
  const $ = (/** @type {string} */ selector) => /** @type {any} */ (root.querySelector(selector));
  const [mic, mute, meter, bar, select] = [".rtnb-mic", ".rtnb-mute", ".rtnb-meter", ".rtnb-meter i", "select"].map($);
  const [quiet, enable, here, lane, note] = [".rtnb-quiet", ".rtnb-enable", ".rtnb-here", ".rtnb-lane", ".rtnb-note"].map($);
  const on = (/** @type {EventTarget} */ target, /** @type {string} */ name, /** @type {(event: any) => void} */ fn) =>
    target.addEventListener(name, fn, { signal: abort.signal });

  // Hold to talk; a short press latches, the next press ends.
  let pressedAt = 0; // 0: nothing is held
  const press = () => {
    if (pressedAt) return;
    if (engine.wanted) return engine.record(false);
    pressedAt = performance.now();
    engine.resume();
    engine.silence();
    engine.record(true);
  };
  const letGo = (latch = true) => {
    const held = pressedAt && performance.now() - pressedAt;
    pressedAt = 0;
    if (held && (held > 350 || !latch)) engine.record(false);
  };
  on(mic, "pointerdown", (event) => {
    if (event.button) return;
    mic.setPointerCapture(event.pointerId); // released outside the button is released too
    press();
  });
  on(mic, "pointerup", () => letGo());
  on(mic, "pointercancel", () => letGo(false));
  on(mic, "contextmenu", (event) => pressedAt && event.preventDefault());
  on(mic, "keydown", (event) => {
    if (event.key === "Escape") engine.record(false), engine.silence();
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) press();
  });
  on(mic, "keyup", (event) => (event.key === " " || event.key === "Enter") && (event.preventDefault(), letGo()));
  on(mic, "blur", () => letGo(false));
  on(mute, "click", () => engine.mute(!engine.muted));
  on(quiet, "click", () => engine.silence());
  on(here, "click", () => engine.takeOver());
  on(enable, "click", () => engine.start().then(() => engine.resume(), () => {}));
  on(select, "change", () => engine.pickDevice(select.value));

  let devices = "";
  const draw = () => {
    const { link, microphone, error, sound, replaced } = engine;
    mic.setAttribute("aria-pressed", String(engine.recording));
    mic.textContent = engine.recording ? "■ Listening" : microphone === "opening" ? "Opening…" : "● Talk";
    mic.disabled = replaced || engine.closed;
    mute.textContent = engine.muted ? "Muted" : "Mute";
    mute.setAttribute("aria-pressed", String(engine.muted));
    mute.classList.toggle("rtnb-on", engine.muted);
    const level = engine.muted ? -100 : engine.level;
    bar.style.transform = `scaleX(${Math.max(0, Math.min(1, 1 + level / 60))})`;
    meter.setAttribute("aria-valuenow", String(Math.max(-60, Math.round(level))));
    const known = JSON.stringify([engine.devices, engine.model.get("device")]);
    if (known !== devices) {
      devices = known;
      select.replaceChildren(new Option("Default microphone", ""), ...engine.devices.filter(({ id }) => id !== "default").map(({ id, label }) => new Option(label, id)));
      select.value = engine.model.get("device");
      select.hidden = engine.devices.length < 2 || !!engine.model.get("source");
    }
    quiet.hidden = !engine.sounding;
    enable.hidden = sound !== "blocked";
    here.hidden = !replaced;
    lane.textContent = engine.closed ? "closed" : !link.name ? "connecting…" : LANES[link.name] + (link.ms >= 0 ? ` · ${link.ms.toFixed(1)} ms` : "") + (link.queue.dropped ? ` · ${link.queue.dropped} frames lost` : "");
    lane.title = link.tried.join("\n");
    const text = replaced ? "Another page plays the sound of this notebook now." : error || (sound === "blocked" ? "The browser plays sound only after a click or a key in this page." : link.name === "comm" ? COMM_WARNING : "");
    if (note.textContent !== text) note.textContent = text;
    note.classList.toggle("rtnb-bad", !!error);
    note.hidden = !text;
  };
  engine.views.add(draw);
  draw();
  return () => {
    letGo(false);
    abort.abort();
    engine.views.delete(draw);
    el.replaceChildren();
  };
}

export default () => {
  /** @type {Engine} */
  let engine;
  return {
    initialize(/** @type {{model: any, signal: AbortSignal}} */ { model, signal }) {
      engine = new Engine(model, signal ?? new AbortController().signal);
      // Other widgets of this page (the panel) draw and steer the same sound.
      const engines = (/** @type {any} */ (globalThis).rtnbEngines ??= new Map());
      const id = model.get("_address")?.link;
      engines.set(id, engine);
      document.dispatchEvent(new CustomEvent("rtnb-engine", { detail: id }));
      return () => {
        engine.close();
        if (engines.get(id) === engine) engines.delete(id);
      };
    },
    render(/** @type {{el: HTMLElement}} */ { el }) {
      return view({ engine, el });
    },
  };
};
