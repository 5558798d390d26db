// Pure parts of the views' modules, run by `node --test tests/js/`.
import test from "node:test";
import assert from "node:assert/strict";
import { clock, duration, size, Wire } from "../../rtnb/notebook/views.js";
import { Rows, Layout, ROW, DETAIL, typeFilter, keeps, facts, counted } from "../../rtnb/notebook/events.js";
import { wavePath, nameOf } from "../../rtnb/notebook/conversation.js";
import { windowOf, weatherWords } from "../../rtnb/notebook/side_panels.js";

const message = (rows, more = {}) => ({ first: 0, names: ["a", "b"], totals: [[0, 0, 0], [0, 0, 0]], most: 20000, rows, ...more });
const row = (id, count = 1, words = "") => [id, id / 10, 1, 0, count, 0, 0, 0, words];

test("times, durations and sizes read as people write them", () => {
  assert.deepEqual([0, 61.239, 6000].map(clock), ["00:00.00", "01:01.23", "100:00.00"]);
  assert.deepEqual([320, 4200, 65000, 119700].map(duration), ["320 ms", "4.2 s", "1:05 min", "2:00 min"]);
  assert.deepEqual([12, 1500, 48000, 2900000].map(size), ["12 B", "1.5 kB", "48 kB", "2.9 MB"]);
});

test("a type filter takes globs, words, and what is left out", () => {
  const fits = (text, ...names) => names.filter(typeFilter(text));
  assert.deepEqual(fits("response.* -*.delta", "response.done", "response.text.delta", "error"), ["response.done"]);
  assert.deepEqual(fits("ERR", "error", "session.created"), ["error"]);
  assert.deepEqual(fits("", "error", "x"), ["error", "x"]);
  assert.deepEqual(fits("session.?reated, error", "session.created", "session.updated", "error"), ["session.created", "error"]);
  assert.deepEqual(fits("!delta", "a.delta", "a.done"), ["a.done"]);
  assert.deepEqual(fits("a.b", "axb"), [], "a dot is a dot");
  assert.deepEqual(fits("-", "a"), ["a"], "a minus being typed leaves out nothing");
});

test("rows that grow are replaced, new ones appended, earlier ones put in their place", () => {
  const rows = new Rows();
  assert.equal(rows.take(message([row(5), row(6)])), true);
  assert.equal(rows.take(message([row(6, 9), row(7)])), true);
  assert.equal(rows.get(6).count, 9);
  assert.equal(rows.take(message([row(2)])), false);
  assert.deepEqual(rows.list.map(({ id }) => id), [2, 5, 6, 7]);
  assert.equal(rows.get(3), undefined);
});

test("the same rows twice change nothing: two pages say hello", () => {
  const rows = new Rows();
  rows.take(message([row(0), row(1)]));
  rows.take(message([row(0), row(1)]));
  assert.equal(rows.list.length, 2);
});

test("a page holds no more rows than it may", () => {
  const rows = new Rows();
  for (let i = 0; i < 30; i++) rows.take(message(Array.from({ length: 100 }, (_, k) => row(100 * i + k)), { most: 1000 }));
  assert.ok(rows.list.length <= 1500);
  assert.equal(rows.list.at(-1).id, 2999);
  assert.equal(rows.left, rows.list[0].id);
});

test("a layout finds the row at each height, also around expanded ones", () => {
  const at = new Layout(1000, [3, 500]);
  assert.equal(at.y(3), 3 * ROW);
  assert.equal(at.y(4), 4 * ROW + DETAIL);
  assert.equal(at.height, 1000 * ROW + 2 * DETAIL);
  for (const place of [0, 1, 3, 4, 499, 500, 501, 999]) assert.equal(at.at(at.y(place)), place);
  assert.equal(at.at(at.y(4) - 1), 3, "inside the expanded part");
  assert.equal(new Layout(0, []).at(0), 0);
});

test("filters for direction, trouble and text work together", () => {
  const all = [
    { id: 1, side: 0, name: "response.create", words: "", trouble: false },
    { id: 2, side: 1, name: "error", words: "bad thing", trouble: true },
    { id: 3, side: 1, name: "response.done", words: "completed", trouble: false },
  ];
  const ids = (filter) => all.filter(keeps({ side: "both", types: "", text: "", found: new Set(), ...filter })).map(({ id }) => id);
  assert.deepEqual(ids({}), [1, 2, 3]);
  assert.deepEqual(ids({ side: "sent" }), [1]);
  assert.deepEqual(ids({ side: "received" }), [2, 3]);
  assert.deepEqual(ids({ side: "errors" }), [2]);
  assert.deepEqual(ids({ text: "BAD" }), [2]);
  assert.deepEqual(ids({ text: "only in the kernel", found: new Set([3]) }), [3]);
  assert.deepEqual(ids({ text: "e", types: "response.*", side: "received" }), [3]);
});

test("what a row tells beside its name", () => {
  assert.equal(facts({ count: 1, bytes: 0, ms: 0 }), "");
  assert.equal(facts({ count: 1240, bytes: 48000, ms: 1000 }), "×1,240 · 1.0 s audio · 48 kB");
  assert.equal(counted([1, 0, 0]), "1 event");
});

test("a waveform has a stroke a bar, inside its box", () => {
  const path = wavePath([0, 100, 50], 30, 20);
  assert.equal(path.match(/M/g).length, 3);
  for (const [, y, high] of path.matchAll(/M[\d.]+ ([\d.]+)v([\d.]+)/g)) assert.ok(Number(y) >= 0 && Number(y) + Number(high) <= 20);
  assert.equal(nameOf({ who: "assistant" }, 3), "turn 3, model");
  assert.equal(nameOf({ who: "tool", call: { name: "sum" } }, 4), "call 4, sum");
});

test("a map shows its places with room around them, and stays on the world", () => {
  assert.deepEqual(windowOf([]), [-180, -90, 360, 180]);
  for (const places of [[{ longitude: 2.3, latitude: 48.9 }], [{ longitude: -179, latitude: 89 }, { longitude: 179, latitude: -89 }], [{ longitude: 170, latitude: -45 }]]) {
    const [west, south, width, height] = windowOf(places);
    assert.ok(west >= -180 && west + width <= 180.001 && south >= -90 && south + height <= 90.001);
    for (const { longitude: x, latitude: y } of places) assert.ok(x >= west && x <= west + width && y >= south && y <= south + height);
  }
  assert.equal(weatherWords({ location: "Paris", temperature: 9, temperature_unit: "°C", weather: "rain", wind_speed: 12, wind_speed_unit: "km/h" }), "Paris: 9 °C, rain, wind 12 km/h");
});

function fakeModel() {
  const listeners = new Map();
  return {
    sent: [],
    comm_live: true,
    on: (name, fn) => listeners.set(name, [...(listeners.get(name) ?? []), fn]),
    off: (name, fn) => listeners.set(name, (listeners.get(name) ?? []).filter((each) => each !== fn)),
    send(content) {
      if (this.isDead) throw new Error("Comm is closed");
      this.sent.push(content);
    },
    fire: (name, ...args) => (listeners.get(name) ?? []).forEach((fn) => fn(...args)),
    listeners,
  };
}

test("a wire says hello, and is live with the first answer", () => {
  const model = fakeModel();
  const got = [];
  const wire = new Wire(model, (each) => got.push(each));
  assert.deepEqual(model.sent, [{ kind: "hello" }]);
  assert.equal(wire.live, "waiting");
  model.fire("msg:custom", { kind: "x" }, []);
  assert.equal(wire.live, "live");
  assert.equal(wire.words, "");
  assert.deepEqual(got, [{ kind: "x" }]);
  wire.close();
  assert.ok([...model.listeners.values()].every((each) => !each.length), "close takes all listeners back");
});

test("without an answer it says what may be the matter", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const wire = new Wire(fakeModel(), () => {});
  let told = 0;
  wire.watchers.add(() => told++);
  assert.equal(wire.words, "");
  t.mock.timers.tick(3001);
  assert.match(wire.words, /if the kernel was restarted, run this cell again/);
  assert.equal(told, 1);
  wire.close();
});

test("a restarted kernel and a closed comm are told in words, and nothing more is sent", () => {
  const model = fakeModel();
  const connected = [];
  model.widget_manager = { kernel: { statusChanged: { connect: (fn) => connected.push(fn), disconnect: (fn) => connected.splice(connected.indexOf(fn), 1) } } };
  const wire = new Wire(model, () => {});
  model.fire("msg:custom", {}, []);
  connected[0](null, "restarting");
  assert.match(wire.words, /kernel was restarted/);
  wire.ask({ kind: "expand" });
  assert.equal(model.sent.length, 1);
  wire.close();
  assert.equal(connected.length, 0);

  const other = fakeModel();
  const second = new Wire(other, () => {});
  other.fire("msg:custom", {}, []);
  other.isDead = true;
  second.ask({ kind: "expand" });
  assert.match(second.words, /view was closed/);
  second.close();
});
