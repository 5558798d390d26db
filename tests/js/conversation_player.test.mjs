// The player of a conversation's turns, run by `node --test tests/js/`.
import test from "node:test";
import assert from "node:assert/strict";
import { Items } from "../../rtnb/notebook/conversation_items.js";
import { Player } from "../../rtnb/notebook/conversation_player.js";

const item = (id, after, more = {}) => ({ id, after, who: "user", text: id, state: "", tone: "", ms: 0, wave: [], full: true, ...more });
const items = (rows, more = {}) => ({ rows, gone: [], reset: false, can_delete: true, ...more });

class FakeAudio extends EventTarget {
  constructor(url) {
    super();
    Object.assign(this, { url, paused: true, currentTime: 0 });
    FakeAudio.last = this;
  }
  async play() {
    if (FakeAudio.refuses) throw Object.assign(new Error(), { name: "NotAllowedError" });
    this.paused = false;
  }
  pause() { this.paused = true; }
  tell(name) { this.dispatchEvent(new Event(name)); }
}

/** A player of turns with sound, what it asked the kernel for, and the kernel's answer. */
function started(t, ...rows) {
  globalThis.Audio = FakeAudio;
  FakeAudio.refuses = false;
  const held = new Items();
  held.take(items(rows));
  const asked = [];
  const player = new Player({ ask: ({ id }) => asked.push(id) }, held);
  t.after(() => player.close());
  return { held, asked, player, answer: (id) => player.sound({ id, mime: "audio/wav" }, [new Uint8Array(4)]) };
}

test("a replay takes the turns with sound from there on", () => {
  const held = new Items();
  held.take(items([item("a", null, { ms: 5 }), item("b", "a"), item("c", "b", { ms: 5 }), item("d", "c", { ms: 9 })]));
  assert.deepEqual(held.from("b"), ["c", "d"]);
  const asked = [];
  const player = new Player({ ask: (each) => asked.push(each) }, held);
  player.replay("b");
  assert.deepEqual(asked, [{ kind: "audio", id: "c" }]);
  assert.deepEqual([player.playing, player.queue], ["c", ["d"]]);
  player.sound({ id: "c", why: "gone" });
  assert.equal(player.playing, "d", "what cannot be played is passed over");
});

test("a turn is asked for once, waited for, and paused by the same button", (t) => {
  const { asked, player, answer } = started(t, item("a", null, { ms: 5 }));
  player.toggle("a");
  assert.deepEqual([player.playing, player.waits, player.audio], ["a", true, null]);
  answer("a");
  assert.deepEqual([player.waits, player.audio.paused], [false, false]);
  player.toggle("a");
  assert.equal(player.audio.paused, true);
  player.stop();
  player.toggle("a");
  assert.deepEqual([asked, player.audio.paused], [["a"], false]);
});

test("a turn that grew meanwhile is asked for again", (t) => {
  const { held, asked, player, answer } = started(t, item("a", null, { ms: 5 }));
  player.toggle("a");
  answer("a");
  player.stop();
  held.take(items([{ id: "a", ms: 9 }]));
  player.toggle("a");
  assert.deepEqual([asked, player.waits], [["a", "a"], true]);
});

test("a sound that comes when another turn was chosen is kept, not played", (t) => {
  const { player, answer } = started(t, item("a", null, { ms: 5 }), item("b", "a", { ms: 5 }));
  player.toggle("a");
  player.toggle("b");
  answer("a");
  assert.deepEqual([player.playing, player.waits, player.audio], ["b", true, null]);
});

test("a replay goes on where a turn was cut off, one played by itself plays to its end", (t) => {
  const { player, answer } = started(t, item("a", null, { ms: 900, cut: 400 }), item("b", "a", { ms: 5 }));
  player.replay("a");
  answer("a");
  player.audio.currentTime = 0.5;
  player.audio.tell("timeupdate");
  assert.equal(player.playing, "b");
  player.toggle("a");
  player.audio.currentTime = 0.5;
  player.audio.tell("timeupdate");
  assert.equal(player.playing, "a");
  player.audio.tell("ended");
  assert.equal(player.playing, "");
});

test("seeking in a turn that does not play plays it from there", (t) => {
  const { player, answer } = started(t, item("a", null, { ms: 9000 }));
  player.seek("a", 3);
  answer("a");
  assert.equal(player.audio.currentTime, 3);
  player.seek("a", 1);
  assert.equal(player.audio.currentTime, 1);
});

test("a turn without sound is told while those after it play", (t) => {
  const { player, answer } = started(t, item("a", null, { ms: 5 }), item("b", "a", { ms: 5 }));
  const seen = new Set();
  player.watchers.add(() => seen.add(player.problem));
  player.replay("a");
  player.sound({ id: "a", why: "its sound is gone" });
  answer("b");
  assert.deepEqual([player.playing, seen.has("its sound is gone")], ["b", true]);
  player.stop();
  player.toggle("b");
  assert.equal(player.problem, "", "what was is forgotten with the next click");
});

test("what the browser refuses is told, and its player stops", async (t) => {
  const { player, answer } = started(t, item("a", null, { ms: 5 }));
  FakeAudio.refuses = true;
  player.toggle("a");
  const told = new Promise((resolve) => player.watchers.add(() => player.problem && resolve(player.problem)));
  answer("a");
  assert.match(await told, /only after a click/);
  assert.equal(player.playing, "");
});

test("no more sounds are held than it takes, and none when it closes", (t) => {
  const given = t.mock.method(URL, "revokeObjectURL");
  const ids = Array.from({ length: 30 }, (_, i) => `turn ${i}`);
  const { player, answer } = started(t, ...ids.map((id, i) => item(id, ids[i - 1] ?? null, { ms: 5 })));
  ids.forEach(answer);
  assert.deepEqual([player.sounds.size, given.mock.callCount()], [24, 6]);
  assert.equal(player.sounds.has("turn 5"), false);
  player.close();
  assert.deepEqual([player.sounds.size, given.mock.callCount()], [0, 30]);
});
