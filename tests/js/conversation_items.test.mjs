// The rows of a conversation, run by `node --test tests/js/`.
import test from "node:test";
import assert from "node:assert/strict";
import { Items } from "../../rtnb/notebook/conversation_items.js";

const item = (id, after, more = {}) => ({ id, after, who: "user", text: id, state: "", tone: "", ms: 0, wave: [], full: true, ...more });
const items = (rows, more = {}) => ({ rows, gone: [], reset: false, can_delete: true, ...more });

test("items stand in the order of the conversation, wherever they come in", () => {
  const held = new Items();
  held.take(items([item("a", null), item("b", "a"), item("d", "b")]));
  held.take(items([item("c", "b")]));
  held.take(items([item("0", null)]));
  assert.deepEqual(held.order, ["0", "a", "b", "c", "d"]);
  held.take(items([{ id: "0", after: "d" }]));
  assert.deepEqual(held.order, ["a", "b", "c", "d", "0"]);
  held.take(items([], { gone: ["b", "nobody"] }));
  assert.deepEqual(held.order, ["a", "c", "d", "0"]);
});

test("a text grows by what was added, and members change one by one", () => {
  const held = new Items();
  held.take(items([item("a", null)]));
  held.take(items([{ id: "a", add: "bc", tone: "busy" }]));
  assert.equal(held.rows.get("a").text, "abc");
  assert.equal(held.rows.get("a").tone, "busy");
});

test("a piece of something unknown asks for all, and is no row", () => {
  const held = new Items();
  assert.equal(held.take(items([{ id: "a", add: "bc" }])).isLost, true);
  assert.equal(held.order.length, 0);
});

test("a hello in several messages keeps order, and forgets what is gone", () => {
  const held = new Items();
  held.take(items([item("old", null), item("b", "old")]));
  const news = held.take(items([item("a", null)], { reset: true }));
  held.take(items([item("b", "a")]));
  assert.deepEqual(held.order, ["a", "b"]);
  assert.deepEqual(news.gone, ["old", "b"]);
});
