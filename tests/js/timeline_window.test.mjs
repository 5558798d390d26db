// The window through which a timeline is seen, run by `node --test tests/js/`.
import test from "node:test";
import assert from "node:assert/strict";
import { clamped, clock, described, fitted, moved, neighbour, showing, ticks, visible, zoomed } from "../../rtnb/notebook/timeline_window.js";

const whole = { start: 0, end: 100 };
const near = (a, b, tolerance = 1e-9) => assert.ok(Math.abs(a - b) <= tolerance, `${a} is not ${b}`);
const mark = (lane, start, end = start, more = {}) => ({ lane, start, end, kind: "", label: "", text: "", index: 0, colour: "", row: 0, ...more });

test("zooming keeps the moment under the pointer where it is", () => {
  for (const [factor, at] of [[0.5, 40], [2, 45], [0.1, 33]]) {
    const before = { start: 30, end: 50 };
    const after = zoomed(before, factor, at, whole);
    near((at - after.start) / (after.end - after.start), (at - before.start) / 20);
  }
});

test("a view stays within the whole, and is never too short", () => {
  assert.deepEqual(zoomed({ start: 10, end: 20 }, 100, 15, whole), whole);
  assert.deepEqual(clamped({ start: -5, end: 5 }, whole), { start: 0, end: 10 });
  assert.deepEqual(clamped({ start: 95, end: 105 }, whole), { start: 90, end: 100 });
  const shortest = zoomed({ start: 10, end: 10.1 }, 1e-6, 10.05, whole);
  near(shortest.end - shortest.start, 0.02);
});

test("moving goes by a share of what is seen, and stops at the ends", () => {
  assert.deepEqual(moved({ start: 10, end: 20 }, 0.5, whole), { start: 15, end: 25 });
  assert.deepEqual(moved({ start: 10, end: 20 }, -9, whole), { start: 0, end: 10 });
});

test("a mark that is out of sight is brought into the middle, one in sight moves nothing", () => {
  const view = { start: 10, end: 20 };
  assert.equal(showing(view, mark("words", 12, 13), whole), view);
  assert.deepEqual(showing(view, mark("words", 50, 52), whole), { start: 46, end: 56 });
  const wide = showing(view, mark("words", 40, 80), whole);
  assert.ok(wide.start <= 40 && wide.end >= 80);
});

test("moments read as people say them", () => {
  assert.equal(clock(1.234), "1.23 s");
  assert.equal(clock(119.5, 0.1), "119.5 s");
  assert.equal(clock(125), "2:05.00");
  assert.equal(clock(3599.6, 1), "60:00");
  assert.equal(clock(600, 60), "10:00");
});

test("ticks are round, within the view, and not too many", () => {
  for (const [start, end] of [[0, 3600], [12.3, 12.35], [0, 7], [1000, 1010]]) {
    const found = ticks({ start, end }, 900);
    assert.ok(found.length >= 2 && found.length <= 11, `${found.length}`);
    assert.ok(found.every(({ at }) => at >= start - 1e-6 && at <= end + 1e-6));
    assert.equal(new Set(found.map(({ text }) => text)).size, found.length);
  }
});

test("a mark says its lane, its words and its time", () => {
  const names = { tools: "tools", errors: "errors" };
  assert.equal(described(mark("tools", 5, 5.5, { text: "add(1) → 2" }), names), "tools: add(1) → 2, 5.00 s to 5.50 s, 0.50 s long");
  assert.equal(described(mark("errors", 6, 6, { text: "refused" }), names), "errors: refused, at 6.00 s");
});

test("where there are too many marks the long ones, the errors and the chosen one are shown", () => {
  const marks = Array.from({ length: 3000 }, (_, i) => mark("response", i / 40, i / 40 + (i % 100) / 1000));
  marks.push(mark("errors", 50));
  const chosen = marks[0];
  const shown = visible(marks, whole, 500, chosen);
  assert.equal(shown.length, 500);
  assert.ok(shown.includes(chosen) && shown.includes(marks.at(-1)));
  assert.deepEqual(visible(marks, { start: 10, end: 10.01 }).every((each) => each.start <= 10.01 && each.end >= 10), true);
});

test("the arrow down leads to the nearest mark of the next lane that has one", () => {
  const lanes = ["speech", "response", "tools", "words"];
  const marks = [mark("speech", 5, 6), mark("words", 1, 2), mark("words", 5.5, 7), mark("words", 30, 31)];
  assert.equal(neighbour(marks, marks[0], lanes, 1), marks[2]);
  assert.equal(neighbour(marks, marks[3], lanes, -1), marks[0]);
  assert.equal(neighbour(marks, marks[0], lanes, -1), marks[0]);
});

test("texts are cut where the room ends", () => {
  assert.equal(fitted("completed", 200), "completed");
  assert.equal(fitted("completed", 32), "comp…");
  assert.equal(fitted("completed", 5), "");
});
