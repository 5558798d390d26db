// @ts-check
/** What a panel is in one page: its messages to and from the kernel, the state as the kernel told it, the engine. */

import { Press } from "./panel_press.js";

const HELLO_MS = 20_000;
const ANSWER_MS = 4_000;
const CHANGES = new Set(["vad", "set", "option", "source"]);
const SLOW = new Set(["connect", "new", "upload", "clip", "say"]);
const LOST_MS = 20_000; // no answer will come any more: the page was offline, say
const SLOW_LOST_MS = 60_000;

/** Words and shape for each state of the connection: never by colour alone. */
export const STATES = /** @type {Record<string, [string, string]>} */ ({
  idle: ["○", "Off"],
  closed: ["○", "Off"],
  connecting: ["◌", "Connecting…"],
  ready: ["●", "Connected"],
  reconnecting: ["↻", "Reconnecting…"],
  failed: ["▲", "Failed"],
});

/** What is being done, in words. @param {any} connection @param {any} talk @returns {string} */
export function activity(connection, talk) {
  if (connection.state !== "ready") return "";
  if (talk.hears) return "hears you";
  if (connection.playing) return "speaking";
  return { responding: "thinking", tools: "running a tool", "follow-up": "thinking" }[connection.activity] ?? "ready";
}

export class Page {
  /** @param {any} model @param {AbortSignal} signal */
  constructor(model, signal) {
    this.model = model;
    this.id = crypto.randomUUID?.() ?? String(Math.random());
    this.parts = /** @type {Record<string, any>} */ ({});
    this.views = /** @type {Set<() => void>} */ (new Set());
    this.waiting = /** @type {Map<number, (ok: boolean) => void>} */ (new Map());
    this.n = 0;
    this.changes = 0; // of settings, that the kernel has not answered yet: what the user chose stays in view
    this.lane = "control";
    this.dead = ""; // why nothing works any more, in words
    this.note = ""; // something this page has to say
    this.offline = false;
    this.engine = /** @type {any} */ (null);
    this.wantsToListen = false;
    this.discarding = /** @type {Promise<any> | null} */ (null);
    this.press = new Press({
      start: () => this.startRecording(),
      end: () => this.endRecording(),
      discard: () => this.discardRecording(),
      changed: () => this.changed(),
    });
    this.onCustom = this.onCustom.bind(this);
    this.model.on("msg:custom", this.onCustom);
    this.model.on("comm:close", () => this.die());
    this.kernel = this.model.widget_manager?.kernel ?? null;
    this.onStatus = (/** @type {any} */ _, /** @type {string} */ status) => {
      if (["restarting", "autorestarting", "terminating", "dead"].includes(status)) this.die();
    };
    this.onConnection = (/** @type {any} */ _, /** @type {string} */ status) => {
      this.offline = status !== "connected";
      if (!this.offline) this.hello();
      this.changed();
    };
    this.kernel?.statusChanged?.connect?.(this.onStatus);
    this.kernel?.connectionStatusChanged?.connect?.(this.onConnection);
    signal.addEventListener("abort", () => this.close());
    window.addEventListener("pagehide", () => this.post("bye"), { signal });
    document.addEventListener("rtnb-engine", () => this.findEngine(), { signal });
    this.findEngine();
    this.hello();
    this.beat = setInterval(() => this.hello(), HELLO_MS);
  }

  close() {
    clearInterval(this.beat);
    this.giveUp();
    if (!this.dead) this.post("bye");
    this.model.off("msg:custom", this.onCustom);
    this.kernel?.statusChanged?.disconnect?.(this.onStatus);
    this.kernel?.connectionStatusChanged?.disconnect?.(this.onConnection);
    this.engine?.views.delete(this.onEngine);
  }

  die(why = "The kernel was restarted or has ended, and this session with it. Run the cell again for a new one.") {
    if (this.dead) return;
    this.dead = why;
    this.press.reset();
    clearInterval(this.beat);
    this.giveUp();
    this.changed();
  }

  changed() {
    for (const draw of this.views) draw();
  }

  // ---- messages

  hello() {
    if (this.dead) return;
    this.post("hello");
    clearTimeout(this.patience);
    if (!this.parts.connection) this.patience = setTimeout(() => this.unanswered(), ANSWER_MS);
  }

  /** The control channel did not answer: a kernel without it. The widget's own messages will, after the cell. */
  unanswered() {
    if (this.parts.connection || this.dead) return;
    this.lane = "comm";
    this.post("hello");
    this.changed();
  }

  /** Send without waiting. @param {string} kind @param {any} [fields] @param {ArrayBuffer[]} [buffers] @returns {number} */
  post(kind, fields = {}, buffers = []) {
    const content = { panel: this.model.get("panel"), page: this.id, n: ++this.n, kind, ...fields };
    const { kernel } = this;
    try {
      if (this.lane === "control" && kernel?.sendControlMessage) {
        const header = { msg_id: `${this.id}-${this.n}`, msg_type: "rtnb_panel", session: kernel.clientId };
        const whole = { ...header, username: kernel.username, version: "5.2", date: new Date().toISOString() };
        kernel.sendControlMessage({ header: whole, parent_header: {}, metadata: {}, content, channel: "control", buffers }, false, true);
      } else {
        this.lane = "comm";
        this.model.send(content, undefined, buffers);
      }
    } catch (error) {
      this.note = `The kernel could not be reached (${/** @type {Error} */ (error).message}).`;
      this.changed();
    }
    return this.n;
  }

  /**
   * Send and wait until it is done; false, and a word about it, when no answer comes.
   * @param {string} kind @param {any} [fields] @param {ArrayBuffer[]} [buffers] @returns {Promise<boolean>}
   */
  ask(kind, fields = {}, buffers = []) {
    if (this.dead) return Promise.resolve(false);
    this.note = "";
    const n = this.post(kind, fields, buffers);
    const isChange = CHANGES.has(kind);
    const limit = SLOW.has(kind) ? SLOW_LOST_MS : LOST_MS;
    if (isChange) this.changes++;
    return new Promise((resolve) => {
      const late = () => {
        if (this.lane === "comm" && this.kernel?.status === "busy") return void (timer = setTimeout(late, limit)); // it waits for the cell
        this.note = "The kernel has not answered, and may not have done what you asked for. Look, and try again.";
        this.waiting.get(n)?.(false);
      };
      let timer = setTimeout(late, limit);
      this.waiting.set(n, (ok) => {
        clearTimeout(timer);
        this.waiting.delete(n);
        if (isChange) this.changes--;
        resolve(ok);
        this.changed();
      });
    });
  }

  /** Nobody will answer what is still waiting. */
  giveUp() {
    for (const settle of [...this.waiting.values()]) settle(false);
  }

  onCustom(/** @type {any} */ content) {
    if (content?.to && content.to !== this.id) return;
    if (content?.kind === "state") {
      Object.assign(this.parts, content.parts);
      this.changed();
    } else if (content?.kind === "answer") {
      this.waiting.get(content.n)?.(content.ok);
    } else if (content?.kind === "gone") this.die("This panel was closed. session.panel shows a new one.");
  }

  // ---- sound: the one engine of this page, of the AudioIO widget

  async findEngine() {
    if (this.engine && !this.engine.closed) return;
    try {
      const id = String(this.model.get("audio")).replace("IPY_MODEL_", "");
      const audio = await this.model.widget_manager.get_model(id);
      const engine = /** @type {any} */ (globalThis).rtnbEngines?.get(audio.get("_address")?.link);
      if (!engine || engine === this.engine) return;
      this.engine?.views.delete(this.onEngine);
      this.engine = engine;
      engine.views.add(this.onEngine);
      this.changed();
    } catch {
      // no such widget any more; the "rtnb-engine" event of a new one brings us back here
    }
  }

  onEngine = () => {
    const { engine, press } = this;
    if (engine.microphone === "refused" || engine.closed) {
      press.reset();
      this.wantsToListen = false;
    }
    this.changed();
  };

  get usesKernel() {
    return this.parts.talk?.source === "kernel";
  }

  get detects() {
    return !!this.parts.talk?.detection;
  }

  /** Whether sound is being taken in, for these eyes. */
  get isRecording() {
    return this.usesKernel ? !!this.parts.talk?.recording : !!this.engine?.recording;
  }

  /** Why there is no microphone, in words; empty when nothing is known against it. */
  get refusal() {
    if (this.usesKernel || !this.engine) return "";
    if (this.engine.microphone === "refused") return this.engine.error;
    return this.engine.refusal?.() ?? "";
  }

  async startRecording() {
    if (this.dead) return;
    this.note = "";
    if (this.usesKernel) return void this.ask("record", { on: true });
    const { engine } = this;
    if (!engine) return this.say("This page has no sound yet. Wait a moment, or show the panel again.");
    engine.resume();
    engine.silence();
    if (engine.replaced) engine.takeOver();
    while (this.discarding) await this.discarding;
    if (!this.parts.talk?.owns) await this.until("claim");
    if (this.press.isOn || this.wantsToListen) engine.record(true);
  }

  endRecording() {
    if (this.usesKernel) this.ask("record", { on: false });
    else this.engine?.record(false);
  }

  /** Too short for a turn: the kernel throws it away before the page ends it; the next one waits for that. */
  async discardRecording() {
    this.discarding = this.until("discard");
    await this.discarding;
    this.endRecording();
    this.discarding = null;
    this.say("That was too short. Hold the button while you speak; a double click, or Enter, keeps it on.");
  }

  /** Ask, and wait for the answer for a second at most. @param {string} kind */
  until(kind) {
    return Promise.race([this.ask(kind), new Promise((resolve) => setTimeout(resolve, 1000))]);
  }

  /** Hands free: the microphone stays open, the server says when a turn ends. @param {boolean} on */
  listen(on) {
    this.wantsToListen = on;
    this.press.reset();
    if (on) this.startRecording();
    else this.endRecording();
    this.changed();
  }

  /** @param {string} text */
  say(text) {
    this.note = text;
    this.changed();
  }

  /** Silence here and now; the kernel cancels and cuts. */
  stop() {
    this.engine?.silence();
    return this.ask("interrupt");
  }

  async connect() {
    this.engine?.start().then(() => this.engine.resume(), () => {});
    if ((await this.ask("connect")) && this.detects && !this.isRecording) this.listen(true);
  }

  /** An empty conversation; a microphone that listened does so again. */
  async renew() {
    const listened = this.detects && this.isRecording;
    if ((await this.ask("new")) && listened && this.detects) this.listen(true);
  }

  /** @param {any} detection */
  async detect(detection) {
    const was = this.detects;
    if (!(await this.ask("vad", { detection }))) return;
    if (!detection && was && this.isRecording) this.listen(false);
    if (detection && !was && !this.isRecording && this.parts.connection?.state === "ready") this.listen(true);
  }
}
