// @ts-check
/** Sound as numbers: resampling, PCM16, levels, frames of the microphone. Runs in the audio thread too. */

export const RATE = 24000; // samples a second on every lane
export const FRAME = 960; // samples of one microphone frame: 40 ms

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
