// @ts-check
/** The audio thread: two processors, and the text of their module. */

import { FrameMaker, Resampler, fromPcm16, gcd, levelDb, toPcm16 } from "./audio_dsp.js";
import { PlayQueue } from "./audio_play.js";

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
