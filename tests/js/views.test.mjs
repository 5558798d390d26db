// Pure parts of the views' modules, run by `node --test tests/js/`.
import test from "node:test";
import assert from "node:assert/strict";
import { clock, duration, size, Wire } from "../../rtnb/notebook/views.js";
import { Layout, ROW, DETAIL } from "../../rtnb/notebook/events.js";
import { wavePath, nameOf } from "../../rtnb/notebook/conversation.js";
import { windowOf, weatherWords } from "../../rtnb/notebook/side_panels.js";

test("times, durations and sizes read as people write them", () => {
  assert.deepEqual([0, 61.239, 6000].map(clock), ["00:00.00", "01:01.23", "100:00.00"]);
  assert.deepEqual([320, 4200, 65000, 119700].map(duration), ["320 ms", "4.2 s", "1:05 min", "2:00 min"]);
  assert.deepEqual([12, 1500, 48000, 2900000].map(size), ["12 B", "1.5 kB", "48 kB", "2.9 MB"]);
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
