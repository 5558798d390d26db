// The Record button as a machine: hold, latch, too short, lost.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Press } from "../../rtnb/notebook/panel_press.js";

function bench() {
  const did = [];
  const clock = { now: 0, timers: [] };
  const press = new Press(
    { start: () => did.push("start"), end: () => did.push("end"), discard: () => did.push("discard") },
    {
      now: () => clock.now,
      later: (fn, ms) => (clock.timers.push({ fn, at: clock.now + ms }), clock.timers.at(-1)),
      forget: (timer) => (clock.timers = clock.timers.filter((each) => each !== timer)),
    },
  );
  const after = (ms) => {
    clock.now += ms;
    for (const timer of clock.timers.filter(({ at }) => at <= clock.now)) {
      clock.timers = clock.timers.filter((each) => each !== timer);
      timer.fn();
    }
  };
  return { press, did, after };
}

test("holding records, releasing sends", () => {
  const { press, did, after } = bench();
  press.down();
  after(800);
  assert.deepEqual(did, ["start"]);
  press.up();
  assert.deepEqual(did, ["start", "end"]);
  assert.equal(press.isOn, false);
});

test("a touch is thrown away, once no second one came", () => {
  const { press, did, after } = bench();
  press.down();
  after(60);
  press.up();
  assert.equal(press.isOn, true, "it may be the first half of a double click");
  after(300);
  assert.deepEqual(did, ["start", "discard"]);
});

test("a short word is sent", () => {
  const { press, did, after } = bench();
  press.down();
  after(150);
  press.up();
  after(300);
  assert.deepEqual(did, ["start", "end"]);
});

test("a double click latches, the next press sends", () => {
  const { press, did, after } = bench();
  press.down();
  after(60);
  press.up();
  after(100);
  press.down();
  after(60);
  press.up();
  after(5000);
  assert.deepEqual(did, ["start"]);
  assert.equal(press.state, "latched");
  press.down();
  press.up();
  assert.deepEqual(did, ["start", "end"]);
  assert.equal(press.state, "idle");
});

test("one key latches and sends", () => {
  const { press, did, after } = bench();
  press.toggle();
  after(5000);
  press.toggle();
  assert.deepEqual(did, ["start", "end"]);
});

test("a key in the middle of a touch sends it", () => {
  const { press, did, after } = bench();
  press.down();
  after(50);
  press.up();
  press.toggle();
  after(1000);
  assert.deepEqual(did, ["start", "end"], "the toggle ends what is on");
});

test("what is held is released when the focus goes, what is latched stays", () => {
  const { press, did, after } = bench();
  press.down();
  after(700);
  press.lost();
  assert.deepEqual(did, ["start", "end"]);
  press.toggle();
  press.lost();
  assert.equal(press.state, "latched");
});

test("a recording that somebody else ended leaves the button up", () => {
  const { press, did, after } = bench();
  press.down();
  after(50);
  press.up();
  press.reset();
  after(1000);
  assert.equal(press.state, "idle");
  assert.deepEqual(did, ["start"]);
});

test("further releases and presses do nothing twice", () => {
  const { press, did, after } = bench();
  press.up();
  press.down();
  press.down();
  after(400);
  press.up();
  press.up();
  assert.deepEqual(did, ["start", "end"]);
});
