// Pure parts of the AudioIO module, run by `node --test tests/js/`.
import test from "node:test";
import assert from "node:assert/strict";
import { FrameMaker, Resampler, fromPcm16, gcd, levelDb, toPcm16 } from "../../rtnb/notebook/audio_dsp.js";
import { PlayQueue } from "../../rtnb/notebook/audio_play.js";
import { FrameQueue, asPcm16, fromBase64, isProbe, median, pack, refusal, socketAddresses, toBase64, unpack } from "../../rtnb/notebook/audio_wire.js";
import { workletSource } from "../../rtnb/notebook/audio_worklet.js";

const tone = (hz, rate, n, amplitude = 0.5, phase = 0) =>
  Float32Array.from({ length: n }, (_, i) => amplitude * Math.sin((2 * Math.PI * hz * i) / rate + phase));
const join = (parts) => Float32Array.from(parts.flatMap((x) => [...x]));
const whole = (from, to, x) => {
  const r = new Resampler(from, to);
  return join([r.push(x), r.flush()]);
};
const db = (x) => 20 * Math.log10(x);
const rms = (x) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length);
const middle = (x) => x.slice(x.length >> 2, -(x.length >> 2));

for (const [from, to] of [[48000, 24000], [44100, 24000], [96000, 24000], [16000, 24000], [24000, 48000], [24000, 44100]]) {
  test(`a tone in the passband stays the same tone, ${from} to ${to}`, () => {
    const nyquist = Math.min(from, to) / 2;
    for (const hz of [60, 440, 0.4 * nyquist, 0.8 * nyquist]) {
      const y = whole(from, to, tone(hz, from, from / 5));
      const expected = tone(hz, to, y.length);
      const error = middle(y).map((v, i) => v - middle(expected)[i]);
      assert.ok(db(rms(error) / rms(expected)) < -70, `${hz} Hz: error ${db(rms(error) / rms(expected)).toFixed(1)} dB`);
    }
  });
  test(`what the lower rate cannot hold is rejected, ${from} to ${to}`, () => {
    if (to > from) {
      // images: a tone at f must not come back at from - f
      const hz = 0.3 * from;
      const y = middle(whole(from, to, tone(hz, from, from / 5)));
      const at = (f) => {
        let [re, im] = [0, 0];
        const norm = y.length / 2;
        for (let i = 0; i < y.length; i++) {
          const w = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / y.length);
          re += 2 * w * y[i] * Math.cos((2 * Math.PI * f * i) / to);
          im += 2 * w * y[i] * Math.sin((2 * Math.PI * f * i) / to);
        }
        return Math.hypot(re, im) / norm;
      };
      const image = from - hz < to / 2 ? from - hz : hz + 0.25 * from;
      assert.ok(db(at(image) / at(hz)) < -75, `image ${db(at(image) / at(hz)).toFixed(1)} dB`);
      return;
    }
    for (const hz of [12050, 12600, 13000, 15000, 18000, 21000].filter((f) => f < from / 2)) {
      const y = middle(whole(from, to, tone(hz, from, from / 5)));
      assert.ok(db(rms(y) / rms(tone(hz, from, 4800))) < -75, `${hz} Hz: ${db(rms(y) / 0.3535).toFixed(1)} dB`);
    }
  });
  test(`pieces of any size give the very samples of the whole, ${from} to ${to}`, () => {
    const x = Float32Array.from({ length: 9001 }, (_, i) => Math.sin(i * i * 1e-4) * 0.7);
    const expected = whole(from, to, x);
    assert.equal(expected.length, Math.ceil((x.length * to) / from));
    for (const sizes of [[128], [1], [7, 500, 1, 33], [8192]]) {
      const r = new Resampler(from, to);
      const parts = [];
      for (let at = 0, i = 0; at < x.length; i++) {
        const n = sizes[i % sizes.length];
        parts.push(r.push(x.subarray(at, at + n)));
        at += n;
      }
      parts.push(r.flush());
      assert.deepEqual(join(parts), expected);
    }
  });
}

test("at equal rates the samples pass unchanged", () => {
  const x = tone(1000, 24000, 1000);
  assert.deepEqual(whole(24000, 24000, x), x);
});

test("a constant stays constant in every phase", () => {
  const y = middle(whole(44100, 24000, new Float32Array(4410).fill(0.25)));
  assert.ok(Math.max(...y) - Math.min(...y) < 1e-6);
});

test("missing() says exactly how much makes ready()", () => {
  for (const [from, to] of [[24000, 44100], [24000, 48000], [24000, 16000], [24000, 24000]]) {
    const r = new Resampler(from, to);
    const out = new Float32Array(128);
    for (let i = 0; i < 50; i++) {
      const n = r.missing(128);
      if (n) {
        r.feed(new Float32Array(n - 1));
        assert.ok(r.ready() < 128);
        r.feed(new Float32Array(1));
      }
      assert.ok(r.ready() >= 128);
      assert.equal(r.missing(128), 0);
      assert.equal(r.take(out), 128);
    }
  }
});

test("frames have 40 ms, are numbered from 0, and the last one is marked", () => {
  const maker = new FrameMaker(48000, 0);
  const x = tone(500, 48000, 48000);
  maker.push(x.subarray(0, 12800)); // before the start: nobody wants it
  const frames = maker.start();
  for (let at = 12800; at < 35200; at += 128) frames.push(...maker.push(x.subarray(at, at + 128)).frames);
  frames.push(...maker.stop());
  assert.deepEqual(frames.map((f) => f.seq), frames.map((_, i) => i));
  assert.deepEqual(frames.map((f) => f.last), frames.map((_, i) => i === frames.length - 1));
  assert.ok(frames.slice(0, -1).every((f) => f.pcm.length === 960));
  assert.deepEqual(maker.stop(), []);
});

test("the pre-roll gives what was heard before the start, without a seam", () => {
  const maker = new FrameMaker(24000, 300);
  const x = Float32Array.from({ length: 24000 }, (_, i) => (i % 4096) / 32768);
  for (let at = 0; at < 12000; at += 120) maker.push(x.subarray(at, at + 120));
  const frames = maker.start();
  assert.equal(frames.length, 8);
  assert.ok(frames.every((f) => f.pre));
  for (let at = 12000; at < 14880; at += 120) frames.push(...maker.push(x.subarray(at, at + 120)).frames);
  const got = frames.flatMap((f) => [...f.pcm]);
  const first = 11520 - 8 * 960; // whole frames stood in the ring, the begun one continues
  assert.deepEqual(got, [...toPcm16(x.subarray(first, first + got.length))]);
  maker.stop();
  assert.deepEqual(maker.start(), [], "the end of the last recording is not pre-roll of the next");
});

test("a muted microphone sends silence, in time", () => {
  const maker = new FrameMaker(24000, 0);
  maker.start();
  maker.muted = true;
  const { frames, levels } = maker.push(tone(500, 24000, 2000));
  assert.equal(frames.length, 2);
  assert.ok(frames.every((f) => f.pcm.every((v) => v === 0)));
  assert.deepEqual(levels, [-100, -100]);
});

const run = (queue, blocks) => {
  const parts = [];
  for (let i = 0; i < blocks; i++) {
    const out = new Float32Array(128);
    queue.process(out);
    parts.push(out);
  }
  return join(parts);
};

test("at 24 kHz what is played is what was sent, sample for sample, item after item", () => {
  const queue = new PlayQueue(24000, 0);
  const [a, b] = [tone(440, 24000, 5000), tone(300, 24000, 3001)];
  for (let at = 0; at < 5000; at += 777) queue.add("a", a.slice(at, at + 777));
  queue.end("a");
  queue.add("b", b);
  queue.end("b");
  const out = run(queue, 80);
  const from = out.findIndex((v) => v !== 0) - 1; // a sine begins with 0
  assert.deepEqual(out.slice(from, from + 8001), join([a, b]));
  assert.ok(out.slice(from + 8001 + 80).every((v) => v === 0));
  assert.deepEqual(queue.reports(0), [["a", 5000, true], ["b", 3001, true]]);
  assert.equal(queue.items.size, 0);
});

test("at 48 kHz the number of samples is exact and the tone is the tone", () => {
  const queue = new PlayQueue(48000, 0);
  const x = tone(440, 24000, 12000).map((v, i) => v * Math.sin((Math.PI * i) / 12000));
  queue.add("a", x);
  queue.end("a");
  const out = run(queue, 400);
  const expected = whole(24000, 48000, x);
  const start = out.findIndex((v) => v !== 0) - expected.findIndex((v) => v !== 0);
  assert.deepEqual(out.slice(start, start + 24000), expected);
  assert.deepEqual(queue.reports(0), [["a", 12000, true]]);
});

test("nothing sounds before the prebuffer is full, unless the item is complete", () => {
  const queue = new PlayQueue(24000, 200);
  queue.add("a", tone(440, 24000, 2400));
  assert.ok(run(queue, 5).every((v) => v === 0));
  queue.add("a", tone(440, 24000, 2400));
  assert.ok(run(queue, 5).some((v) => v !== 0));
  const short = new PlayQueue(24000, 200);
  short.add("b", tone(440, 24000, 1200));
  short.end("b");
  assert.ok(run(short, 5).some((v) => v !== 0));
});

test("a piece shorter than the prebuffer is played after the prebuffer's time", () => {
  const queue = new PlayQueue(24000, 200);
  queue.add("a", tone(440, 24000, 1200));
  const out = run(queue, 200);
  const at = out.findIndex((v) => v !== 0);
  assert.ok(at > 4000 && at < 5500, `began at ${at}`);
  assert.deepEqual(queue.reports(0), [["a", 1200, false]]);
});

test("heard counts real samples only, across an underrun, and ends exactly", () => {
  const queue = new PlayQueue(48000, 0);
  queue.add("a", new Float32Array(2400).fill(0.5));
  run(queue, 100); // 6400 source samples' worth of time
  assert.equal(queue.underruns, 1);
  assert.deepEqual(queue.reports(0), [["a", 2400, false]]);
  queue.add("a", new Float32Array(2400).fill(0.5));
  queue.end("a");
  run(queue, 30);
  const [[, samples, final]] = queue.reports(0);
  assert.ok(samples > 2400 && samples < 4800 && !final);
  run(queue, 60);
  assert.deepEqual(queue.reports(0), [["a", 4800, true]]);
  assert.deepEqual(queue.reports(0), []);
});

test("no step is larger than a short ramp allows when audio runs dry and comes back", () => {
  const queue = new PlayQueue(24000, 0);
  queue.add("a", new Float32Array(1000).fill(0.5));
  const one = run(queue, 20);
  queue.add("a", new Float32Array(1000).fill(0.5));
  queue.end("a");
  const out = join([one, run(queue, 20)]);
  const step = Math.max(...out.map((v, i) => (i ? Math.abs(v - out[i - 1]) : 0)));
  assert.ok(step < 0.01, `step ${step}`);
  assert.equal(out.filter((v) => v === 0.5).length, 2000, "the real samples are all there, unaltered");
});

test("heard is what left the loudspeaker: drawn minus latency", () => {
  const queue = new PlayQueue(48000, 0);
  queue.add("a", tone(440, 24000, 24000));
  run(queue, 100); // 12800 device samples: 6400 of the source
  queue.advance(0);
  const drawn = queue.items.get("a").heard;
  assert.ok(drawn <= 6400 && drawn >= 6400 - 2 * queue.resampler.half, `${drawn}`);
  const lagging = new PlayQueue(48000, 0);
  lagging.add("a", tone(440, 24000, 24000));
  run(lagging, 100);
  assert.deepEqual(lagging.reports(720), [["a", drawn - 720, false]]);
});

test("stop is silent after 5 ms, tells every item, and late audio is dropped", () => {
  const queue = new PlayQueue(48000, 0);
  queue.add("a", new Float32Array(24000).fill(0.5));
  queue.end("a");
  queue.add("b", new Float32Array(24000).fill(0.5));
  run(queue, 100);
  const reports = queue.stop(["c"]);
  assert.deepEqual(reports.map(([id, , final]) => [id, final]), [["a", true], ["b", true], ["c", true]]);
  assert.equal(reports[1][1], 0);
  assert.ok(reports[0][1] > 6000 && reports[0][1] <= 6400);
  const out = run(queue, 20);
  assert.ok(Math.abs(out[0]) > 0.4, "a fade, not a click");
  assert.ok(out.slice(240).every((v) => v === 0));
  for (const id of ["a", "b", "c"]) queue.add(id, new Float32Array(4800).fill(0.5));
  assert.ok(run(queue, 40).every((v) => v === 0));
  assert.equal(queue.late, 3 * 4800);
  assert.deepEqual(queue.stop(), []);
  queue.add("d", new Float32Array(4800).fill(0.5));
  assert.ok(run(queue, 40).some((v) => v > 0.4), "the next answer plays");
});

test("an item without audio ends at once", () => {
  const queue = new PlayQueue(48000);
  queue.end("a");
  assert.deepEqual(queue.reports(0), [["a", 0, true]]);
});

test("an hour of idling and a thousand stops leave nothing behind", () => {
  const queue = new PlayQueue(48000, 0);
  for (let i = 0; i < 1200; i++) {
    queue.add(`i${i}`, tone(440, 24000, 2400));
    run(queue, 3);
    queue.stop();
    run(queue, 4);
  }
  assert.ok(queue.stopped.size <= 1000 && queue.items.size === 0 && queue.segments.length === 0);
});

test("the frame queue keeps the newest and counts what it dropped", () => {
  const queue = new FrameQueue(3);
  for (let i = 0; i < 5; i++) queue.push(i);
  assert.deepEqual([queue.shift(), queue.frames, queue.dropped], [2, [3, 4], 2]);
});

test("a packed message comes apart as it was, its PCM aligned", () => {
  for (const item of ["a", "ab", "ä€"]) {
    const pcm = Int16Array.of(1, -2, 32767, -32768);
    const message = pack({ kind: "play", item }, pcm);
    const [header, payload] = unpack(message.buffer);
    assert.deepEqual(header, { kind: "play", item });
    assert.deepEqual(asPcm16(payload), pcm);
    assert.equal(payload.byteOffset % 2, 0);
  }
  assert.deepEqual(unpack(pack({ kind: "x" }).buffer)[1].length, 0);
});

test("base64 and PCM16 keep every value", () => {
  const bytes = Uint8Array.from({ length: 70000 }, (_, i) => i % 251);
  assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
  const all = Int16Array.from({ length: 65536 }, (_, i) => i - 32768);
  assert.deepEqual(toPcm16(fromPcm16(all)), all);
  assert.deepEqual(toPcm16(Float32Array.of(2, -2)), Int16Array.of(32767, -32768));
});

test("levels and small numbers", () => {
  assert.ok(Math.abs(levelDb(tone(1000, 24000, 960, 1)) + 3.01) < 0.02);
  assert.equal(levelDb(new Float32Array(960)), -100);
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(gcd(44100, 24000), 300);
});

const good = { secure: true, vscode: false, mediaDevices: true, policy: true, host: "hub:80" };

test("every refusal has a sentence of its own that says what to do", () => {
  const cases = [
    [null, { ...good, vscode: true }, /VS Code/],
    [null, { ...good, secure: false }, /http:\/\/hub:80 .*https/],
    [null, { ...good, mediaDevices: false }, /mediaDevices/],
    [null, { ...good, policy: false }, /Permissions-Policy/],
    [{ name: "NotFoundError" }, good, /No microphone was found/],
    [{ name: "NotAllowedError", message: "Permission denied" }, good, /refused to this page/],
    [{ name: "NotAllowedError", message: "Permission denied by system" }, good, /operating system/],
    [{ name: "NotAllowedError", message: "Permission dismissed" }, good, /without an answer/],
    [{ name: "NotReadableError" }, good, /another program/],
    [{ name: "OverconstrainedError", constraint: "deviceId" }, good, /deviceId.*another/],
    [{ name: "AbortError" }, good, /while it was being opened/],
    [{ name: "SecurityError" }, good, /settings forbid/],
    [{ name: "StrangeError", message: "what" }, good, /StrangeError: what/],
  ];
  const sentences = cases.map(([error, page, expected]) => {
    const text = refusal(error, page);
    assert.match(text, expected);
    return text;
  });
  assert.equal(new Set(sentences).size, cases.length);
  assert.equal(refusal(null, good), "");
});

test("the kernel's socket is asked for directly only from a page of this machine", () => {
  const at = (href, base = "/") => socketAddresses(new URL(href), base, 4321).map(({ url }) => url);
  assert.deepEqual(at("http://localhost:8888/lab"), ["ws://127.0.0.1:4321/", "ws://localhost:8888/proxy/4321/"]);
  assert.deepEqual(at("https://hub.example.org/user/a/lab", "/user/a/"), ["wss://hub.example.org/user/a/proxy/4321/"]);
  assert.deepEqual(at("vscode-webview://abc/x"), ["ws://127.0.0.1:4321/"]);
  assert.deepEqual(at("https://hub.example.org/user/a/lab", "/user/a"), ["wss://hub.example.org/user/a/proxy/4321/"]);
  assert.deepEqual(socketAddresses(new URL("http://localhost:8888/lab"), "/", 0), []);
});

test("the probe is known in any wrapping", () => {
  const bytes = Uint8Array.of(9, 1, 2, 254, 255, 9);
  assert.ok(isProbe(new DataView(bytes.buffer, 1, 4)));
  assert.ok(isProbe(bytes.slice(1, 5).buffer));
  assert.ok(!isProbe(bytes));
  assert.ok(!isProbe(null));
});

test("the worklet's text stands alone and registers both processors", () => {
  const registered = {};
  const scope = new Function("AudioWorkletProcessor", "registerProcessor", "sampleRate", workletSource());
  class Base {
    constructor() {
      this.port = { postMessage: (message) => (this.sent ??= []).push(message) };
    }
  }
  scope(Base, (name, processor) => (registered[name] = processor), 48000);
  const capture = new registered["rtnb-capture"]({ processorOptions: { prerollMs: 0 } });
  capture.port.onmessage({ data: { recording: true } });
  for (let i = 0; i < 40; i++) capture.process([[tone(440, 48000, 128)]]);
  assert.ok(capture.sent.flatMap(({ frames }) => frames).length >= 2);
  const play = new registered["rtnb-play"]({ processorOptions: { prebufferMs: 0 } });
  play.port.onmessage({ data: { item: "a", pcm: new Int16Array(4800).fill(9000) } });
  const output = [new Float32Array(128), new Float32Array(128)];
  for (let i = 0; i < 40; i++) play.process([], [output]);
  assert.ok(output[1][0] > 0.2 && output[0][0] === output[1][0]);
  play.port.onmessage({ data: { stop: [] } });
  assert.deepEqual(play.sent.at(-1).reports.map(([id, , final]) => [id, final]), [["a", true]]);
});
