// @ts-check
/**
 * The sound of a conversation's turns, asked of the kernel and played one at a time. Knows no view: who wants to hear of a
 * change is among its `watchers`. Imports nothing; wire and items are given to it.
 */

/** Plays the turns of one model, one at a time, whichever view asked. */
export class Player {
  constructor(wire, items) {
    Object.assign(this, { wire, items });
    this.audio = null;
    this.playing = ""; // id of what is played, or waited for
    this.waits = false;
    this.queue = []; // ids that follow
    this.heardOnly = false; // as it was heard: stops where the turn was interrupted
    this.problem = "";
    this.sounds = new Map(); // id -> object URL; the oldest are given back
    this.watchers = new Set();
  }

  tell() {
    for (const watcher of this.watchers) watcher();
  }

  /** Play one turn, or stop it. */
  toggle(id, at = 0) {
    if (this.playing === id && !this.waits && this.audio) {
      if (this.audio.paused) this.audio.play().catch(() => {});
      else this.audio.pause();
      return this.tell();
    }
    this.queue = [];
    this.heardOnly = false;
    this.problem = "";
    this.start(id, at);
  }

  replay(id) {
    const [first, ...rest] = this.items.from(id);
    if (!first) return;
    this.queue = rest;
    this.heardOnly = true;
    this.problem = ""; // what one of the turns cannot is told while the others play
    this.start(first);
  }

  start(id, at = 0) {
    this.stop(false);
    this.playing = id;
    this.at = at;
    const row = this.items.rows.get(id);
    const url = this.sounds.get(id);
    if (url && url.ms === row?.ms) this.run(url.url);
    else {
      this.waits = true;
      this.wire.ask({ kind: "audio", id });
    }
    this.tell();
  }

  /** The kernel's answer. */
  sound({ id, mime, why }, buffers) {
    if (!mime) {
      if (this.playing !== id) return;
      this.problem = why;
      return this.next();
    }
    const old = this.sounds.get(id);
    if (old) URL.revokeObjectURL(old.url);
    const url = URL.createObjectURL(new Blob([buffers[0]], { type: mime }));
    this.sounds.delete(id);
    this.sounds.set(id, { url, ms: this.items.rows.get(id)?.ms });
    if (this.sounds.size > 24) {
      const [oldest, { url: gone }] = this.sounds.entries().next().value;
      URL.revokeObjectURL(gone);
      this.sounds.delete(oldest);
    }
    if (this.playing === id && this.waits) this.run(url);
  }

  run(url) {
    this.waits = false;
    const audio = (this.audio = new Audio(url));
    const id = this.playing;
    audio.addEventListener("ended", () => this.audio === audio && this.next());
    audio.addEventListener("timeupdate", () => {
      if (this.audio !== audio) return;
      const row = this.items.rows.get(id);
      if (this.heardOnly && row?.cut !== null && row?.cut !== undefined && audio.currentTime * 1000 >= row.cut) return this.next();
      this.tell();
    });
    audio.addEventListener("error", () => {
      if (this.audio !== audio) return;
      this.problem = "the browser cannot play this sound";
      this.next();
    });
    if (this.at) audio.currentTime = this.at;
    audio.play().catch((error) => {
      if (this.audio !== audio || error.name === "AbortError") return;
      this.problem = "the browser plays sound only after a click or a key in this page";
      this.stop();
    });
    this.tell();
  }

  next() {
    const id = this.queue.shift();
    if (id !== undefined) this.start(id);
    else this.stop();
  }

  stop(tell = true) {
    this.audio?.pause();
    this.audio = null;
    this.playing = "";
    this.waits = false;
    if (tell) {
      this.queue = [];
      this.tell();
    }
  }

  seek(id, seconds) {
    if (this.playing === id && this.audio) this.audio.currentTime = seconds;
    else this.toggle(id, seconds);
    this.tell();
  }

  close() {
    this.stop();
    for (const { url } of this.sounds.values()) URL.revokeObjectURL(url);
    this.sounds.clear();
  }
}
