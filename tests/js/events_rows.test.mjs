// The rows of the table of events, run by `node --test tests/js/`.
import test from "node:test";
import assert from "node:assert/strict";
import { Rows, typeFilter, keeps, facts, counted } from "../../rtnb/notebook/events_rows.js";

const message = (rows, more = {}) => ({ first: 0, names: ["a", "b"], totals: [[0, 0, 0], [0, 0, 0]], most: 20000, rows, ...more });
const row = (id, count = 1, words = "") => [id, id / 10, 1, 0, count, 0, 0, 0, words];

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
