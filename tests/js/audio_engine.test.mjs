// What the page keeps of its sound over the loss of a lane, run by `node --test tests/js/`.
import test, { afterEach } from "node:test";
import assert from "node:assert/strict";
import { PlayQueue } from "../../rtnb/notebook/audio_play.js";

globalThis.document = Object.assign(new EventTarget(), { getElementById: () => null });
globalThis.window = Object.assign(new EventTarget(), { location: new URL("http://localhost/") });
const mediaDevices = new EventTarget();
Object.defineProperty(globalThis, "navigator", { value: { mediaDevices }, configurable: true });
const { Engine } = await import("../../rtnb/notebook/audio_engine.js");

const model = { get: () => undefined, on() {}, off() {} };

const engines = [];
afterEach(() => engines.splice(0).forEach((engine) => engine.close()));

/** An engine without lanes; `lane()` gives it one and the messages that it carries. */
function made() {
  const engine = new Engine(model, new AbortController().signal);
  engines.push(engine);
  const lane = () => {
    const sent = [];
    engine.link.lane = { name: "test", send: (header) => sent.push(header), busy: () => false, close() {} };
    engine.onLane();
    return sent;
  };
  const lose = () => {
    engine.link.lane = null;
    engine.onLane();
  };
  return { engine, lane, lose };
}

const heard = (sent) => sent.filter(({ kind }) => kind === "heard");

test("an item that ends while there is no lane is told whole on the next one", () => {
  const { engine, lane, lose } = made();
  const queue = new PlayQueue(24000, 0);
  queue.add("a", new Float32Array(24000).fill(0.1));
  queue.end("a");
  const play = (blocks) => {
    for (let i = 0; i < blocks; i++) {
      queue.process(new Float32Array(2400));
      engine.onPlayed({ reports: queue.reports(0), stopped: false, sounding: false, underruns: 0, late: 0 });
    }
  };
  const before = lane();
  play(5);
  const [[item, samples, final]] = heard(before).at(-1).reports;
  assert.ok(item === "a" && samples < 24000 && !final);
  lose();
  play(10);
  assert.deepEqual(heard(lane()), [{ kind: "heard", reports: [["a", 24000, true]], stopped: false, underruns: 0, late: 0 }]);
});

test("what was silenced without a lane is told as stopped, apart from what was heard to its end", () => {
  const { engine, lane } = made();
  engine.onPlayed({ reports: [["a", 10, true]], stopped: false, sounding: false, underruns: 1, late: 0 });
  engine.onPlayed({ reports: [["b", 4, true]], stopped: true, sounding: false, underruns: 1, late: 7 });
  const told = heard(lane()).map(({ reports, stopped, underruns, late }) => [reports, stopped, underruns, late]);
  assert.deepEqual(told, [[[["a", 10, true]], false, 1, 7], [[["b", 4, true]], true, 1, 7]]);
});

test("the reports that are kept are few", () => {
  const { engine, lane } = made();
  for (let i = 0; i < 1000; i++)
    engine.onPlayed({ reports: [[`item_${i}`, 1, true]], stopped: false, sounding: false, underruns: 0, late: 0 });
  const [{ reports }] = heard(lane());
  assert.ok(reports.length <= 50, `${reports.length}`);
  assert.equal(reports.at(-1)[0], "item_999");
});

test("a closed engine listens to the page no more", () => {
  const { engine } = made();
  const shown = () => window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  let resumed = 0;
  engine.resume = () => resumed++;
  engine.close();
  shown();
  document.dispatchEvent(new Event("pointerdown"));
  assert.deepEqual([engine.closed, resumed], [true, 0]);
});

test("a page that comes back from the cache opens its sound again, and listens once", () => {
  const { engine } = made();
  let resumed = 0;
  engine.resume = () => resumed++;
  window.dispatchEvent(new Event("pagehide"));
  assert.ok(engine.closed);
  window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  document.dispatchEvent(new Event("pointerdown"));
  assert.deepEqual([engine.closed, resumed], [false, 1]);
});
