// What a page does about answers that never come, and about a new session, run by `node --test tests/js/`.
import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.window = new EventTarget();
globalThis.document = new EventTarget();
const { Page } = await import("../../rtnb/notebook/panel_page.js");

/** A page with a kernel that takes messages; `hear` is what the kernel says. */
function made(t) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const sent = [];
  const handlers = {};
  const signals = {};
  const signal = (name) => ({ connect: (fn) => (signals[name] = fn), disconnect() {} });
  const kernel = {
    status: "idle",
    clientId: "c",
    sendControlMessage: ({ content }) => sent.push(content),
    statusChanged: signal("status"),
    connectionStatusChanged: signal("connection"),
  };
  const widget_manager = { kernel, get_model: async () => Promise.reject(new Error("no audio here")) };
  const model = { get: () => "p", on: (name, fn) => (handlers[name] = fn), off() {}, widget_manager, send: (content) => sent.push(content) };
  const abort = new AbortController();
  t.after(() => abort.abort());
  const page = new Page(model, abort.signal);
  const hear = (content) => handlers["msg:custom"](content);
  hear({ kind: "state", parts: { connection: { state: "ready" }, talk: { detection: null }, settings: {} } });
  return { page, sent, hear, kernel, signals, model, answer: (ok = true) => hear({ kind: "answer", to: page.id, n: sent.at(-1).n, ok }) };
}

/** What came of a promise so far. */
async function now(promise) {
  const pending = Symbol("pending");
  const found = await Promise.race([promise, new Promise((resolve) => setImmediate(() => resolve(pending)))]);
  return found === pending ? "pending" : found;
}

test("an answer that is lost is waited for a while, then said to be missing", async (t) => {
  const { page } = made(t);
  const asked = page.ask("set", { name: "voice", value: "cedar" });
  t.mock.timers.tick(19_000);
  assert.equal(await now(asked), "pending");
  assert.equal(page.changes, 1, "what the user chose stays in view");
  t.mock.timers.tick(1_000);
  assert.equal(await now(asked), false);
  assert.equal(page.changes, 0, "what the kernel told last is shown again");
  assert.equal(page.waiting.size, 0);
  assert.match(page.note, /not answered/);
});

test("an answer in time is taken, and one that comes too late changes nothing", async (t) => {
  const { page, answer } = made(t);
  const asked = page.ask("set", { name: "voice", value: "cedar" });
  answer(true);
  assert.equal(await now(asked), true);
  t.mock.timers.tick(60_000);
  assert.equal(page.note, "");
  const late = page.ask("option", { name: "greet", value: true });
  t.mock.timers.tick(20_000);
  answer(true);
  assert.equal(await now(late), false);
  assert.equal(page.changes, 0);
});

test("a connection may take longer than a setting", async (t) => {
  const { page } = made(t);
  const asked = page.ask("connect");
  t.mock.timers.tick(30_000);
  assert.equal(await now(asked), "pending");
  t.mock.timers.tick(30_000);
  assert.equal(await now(asked), false);
});

test("where messages wait for the end of a cell, so does the page", async (t) => {
  const { page, kernel } = made(t);
  page.lane = "comm";
  kernel.status = "busy";
  const asked = page.ask("option", { name: "greet", value: true });
  t.mock.timers.tick(90_000);
  assert.equal(await now(asked), "pending");
  kernel.status = "idle";
  t.mock.timers.tick(20_000);
  assert.equal(await now(asked), false);
});

test("who asked a kernel that ends is told at once, and so is who asks afterwards", async (t) => {
  const { page, signals, sent } = made(t);
  const asked = [page.ask("set", { name: "voice", value: "cedar" }), page.ask("ask", { text: "hello" })];
  signals.status(null, "restarting");
  assert.deepEqual(await Promise.all(asked.map(now)), [false, false]);
  assert.equal(page.changes, 0);
  const before = sent.length;
  assert.equal(await now(page.ask("connect")), false);
  assert.equal(sent.length, before);
});

test("a microphone that listened does so in a new session, and one that did not stays closed", async (t) => {
  for (const listened of [true, false]) {
    const { page, hear, answer } = made(t);
    const done = [];
    page.engine = { recording: listened, resume() {}, silence() {}, record: (on) => done.push(on), views: new Set() };
    hear({ kind: "state", parts: { talk: { detection: { type: "server_vad" }, owns: true } } });
    const renewed = page.renew();
    page.engine.recording = false; // the kernel closed it with the connection
    answer(true);
    await renewed;
    assert.deepEqual(done, listened ? [true] : []);
    assert.equal(page.wantsToListen, listened);
    t.mock.timers.reset();
  }
});
