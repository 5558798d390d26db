// What the panel says, and what it draws: pure parts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { columns } from "../../rtnb/notebook/panel_draw.js";
import { STATES, activity } from "../../rtnb/notebook/panel_page.js";
import { PARAMETERS, caption, put, recordWords, shown, words } from "../../rtnb/notebook/panel_sync.js";

test("each state has a word and a shape of its own, but for the two that mean off", () => {
  const shapes = Object.entries(STATES).filter(([state]) => state !== "closed").map(([, [shape]]) => shape);
  assert.equal(new Set(shapes).size, shapes.length);
  for (const state of ["idle", "connecting", "ready", "reconnecting", "closed", "failed"]) assert.ok(STATES[state][1]);
});

test("what is being done is said in words while connected", () => {
  const connection = { state: "ready", playing: false, activity: "idle" };
  assert.equal(activity(connection, {}), "ready");
  assert.equal(activity({ ...connection, playing: true }, {}), "speaking");
  assert.equal(activity({ ...connection, playing: true }, { hears: true }), "hears you");
  assert.equal(activity({ ...connection, activity: "tools" }, {}), "running a tool");
  assert.equal(activity({ ...connection, state: "failed" }, {}), "");
});

test("a caption parts what was heard from what was not", () => {
  assert.deepEqual(caption({ text: "One two", state: "interrupted", heard: 3 }), ["One", " two", "(interrupted)"]);
  assert.deepEqual(caption({ text: "One two", state: "done" }), ["One two", "", ""]);
  assert.deepEqual(caption({ text: "", state: "awaiting" }), ["", "", "(being written down…)"]);
  assert.deepEqual(caption({ text: "", state: "sound" }), ["", "", "(speech)"]);
});

test("the big button says what it does, and how", () => {
  const page = { press: { state: "idle", isOn: false }, engine: { microphone: "off" }, isRecording: false, detects: false };
  assert.match(recordWords(page)[0], /Hold to talk/);
  assert.match(recordWords({ ...page, press: { state: "held", isOn: true } })[1], /Release/);
  assert.match(recordWords({ ...page, press: { state: "latched", isOn: true } })[1], /Press again/);
  assert.match(recordWords({ ...page, engine: { microphone: "opening" } })[0], /Opening/);
  assert.match(recordWords({ ...page, detects: true })[0], /Listen$/);
  assert.match(recordWords({ ...page, detects: true, isRecording: true })[0], /Listening/);
});

test("times are short, and an unknown one is a dash", () => {
  assert.deepEqual([shown(null), shown(undefined), shown(431), shown(2345)], ["–", "–", "431 ms", "2.3 s"]);
});

test("columns hold the lowest and the highest of their samples", () => {
  const samples = Float32Array.from([0, 0.5, -0.25, 0, 0, 0, 1, -1]);
  assert.deepEqual(columns(samples, 2), [[-0.25, 0.5], [-1, 1]]);
  assert.equal(columns(new Float32Array(3), 10).length, 10);
});

test("what is written already is not written again", () => {
  let writes = 0;
  const element = {
    get textContent() { return "same"; },
    set textContent(_) { writes++; },
    getAttribute: () => "true",
    setAttribute: () => writes++,
  };
  put(element, { textContent: "same", "aria-pressed": true });
  assert.equal(writes, 0);
  put(element, { textContent: "other", "aria-pressed": false });
  assert.equal(writes, 2);
});

test("both kinds of turn detection have parameters with words and usual values", () => {
  for (const rows of Object.values(PARAMETERS)) for (const [name, words, kind, { usual }] of rows) assert.ok(name && words && kind && usual !== undefined);
});

test("a notice that came again says how often", () => {
  assert.equal(words({ text: "It failed.", times: 1 }), "It failed.");
  assert.equal(words({ text: "It failed.", times: 3 }), "It failed. (3 times)");
});
