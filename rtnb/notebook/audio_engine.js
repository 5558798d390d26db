// @ts-check
/** All sound of one AudioIO in a page: context, microphone, loudspeaker. Owns it; a view only asks. */

import { Link } from "./audio_link.js";
import { asPcm16, refusal } from "./audio_wire.js";
import { workletSource } from "./audio_worklet.js";

const KEPT_REPORTS = 50; // a lane is found lost after some 15 s at most; so many items do not end in that time

/** All sound of one AudioIO in this page. Made once per model, so two views never play twice. */
export class Engine {
  /** @param {any} model @param {AbortSignal} signal */
  constructor(model, signal) {
    this.model = model;
    this.signal = signal;
    this.views = /** @type {Set<() => void>} */ (new Set());
    this.context = /** @type {AudioContext | null} */ (null);
    this.player = /** @type {AudioWorkletNode | null} */ (null);
    this.capture = /** @type {AudioWorkletNode | null} */ (null);
    this.stream = /** @type {MediaStream | null} */ (null);
    this.sound = "off"; // off, starting, running, blocked (needs a click), failed
    this.microphone = "off"; // off, opening, on, refused
    this.recording = false;
    this.wanted = false; // somebody wants to record, although the microphone may still be opening
    this.muted = !!model.get("muted");
    this.mutes = model.get("_mutes") ?? 0; // how often the kernel has set it, as far as this page knows
    this.sounding = false;
    /** The last report of each item, newest last: a lane that was lost may have lost them. @type {Map<string, {report: any[], stopped: boolean}>} */
    this.reports = new Map();
    this.counts = { underruns: 0, late: 0 };
    this.level = -100;
    this.error = "";
    this.devices = /** @type {{id: string, label: string}[]} */ ([]);
    this.outputs = /** @type {{id: string, label: string}[]} */ ([]);
    this.volume = 1; // 0 to 1
    this.output = ""; // id of the loudspeaker; empty: the system's own choice
    this.take = 0; // number of the recording; frames carry it
    this.taking = false; // this page asked to be the one that plays
    this.replaced = false; // another page plays
    this.closed = false;
    this.link = new Link(this);
    this.listen();
    model.on("change:device", () => this.microphone === "on" && this.reopen());
    model.on("change:source", () => this.microphone === "on" && this.reopen());
    model.on("comm:close", () => this.close());
    this.onStatus = (/** @type {any} */ _, /** @type {string} */ status) => {
      if (["restarting", "autorestarting", "terminating", "dead"].includes(status)) this.close();
    };
    this.kernel = this.link.kernel;
    this.kernel?.statusChanged?.connect?.(this.onStatus);
    signal.addEventListener("abort", () => this.close());
    this.link.connect();
  }

  /** Listen to the page, until `close`. */
  listen() {
    this.listeners = new AbortController();
    const options = { signal: this.listeners.signal, capture: true };
    const gesture = () => this.resume();
    document.addEventListener("pointerdown", gesture, options);
    document.addEventListener("keydown", gesture, options);
    window.addEventListener("pagehide", () => {
      this.close();
      window.addEventListener("pageshow", (event) => event.persisted && this.open(), { signal: this.signal, once: true });
    }, options);
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.listDevices(), options);
  }

  /** After the page came back from the browser's cache. */
  open() {
    this.closed = false;
    this.listen();
    this.link = new Link(this);
    this.link.connect();
    this.changed();
  }

  /** Leave nothing open: no track, no context, no lane. */
  close() {
    if (this.closed) return;
    this.closed = true;
    this.listeners?.abort();
    this.wanted = this.recording = false;
    this.closeMicrophone();
    this.link.close();
    this.context?.close().catch(() => {});
    this.context = this.player = null;
    this.starting = undefined;
    this.sound = "off";
    this.kernel?.statusChanged?.disconnect?.(this.onStatus);
    this.changed();
  }

  state() {
    const { recording, microphone, sound, muted, mutes, error, devices, sounding, take } = this;
    return { recording, microphone, sound, muted, mutes, error, devices, sounding, take };
  }

  /** Something of the state changed: redraw, and tell the kernel once. */
  changed() {
    for (const draw of this.views) draw();
    if (this.telling) return;
    this.telling = true;
    queueMicrotask(() => {
      this.telling = false;
      const text = JSON.stringify(this.state());
      if (text !== this.told && this.link.send({ kind: "state", ...this.state() })) this.told = text;
    });
  }

  onLane() {
    clearTimeout(this.laneTimer);
    this.told = "";
    // Whoever cannot be heard by the kernel has no reason to hold the microphone.
    if (!this.link.lane) this.laneTimer = setTimeout(() => this.microphone !== "off" && this.closeMicrophone(), 15_000);
    else this.tellAgain();
    this.changed();
  }

  /** What was told on the lane before may not have arrived: the kernel passes over what it knows. */
  tellAgain() {
    for (const stopped of [false, true]) {
      const reports = [...this.reports.values()].filter((kept) => kept.stopped === stopped).map(({ report }) => report);
      if (reports.length) this.link.send({ kind: "heard", reports, stopped, ...this.counts });
    }
  }

  /** @param {any} header @param {any} payload */
  receive(header, payload) {
    switch (header.kind) {
      case "play":
        return this.toPlayer({ item: header.item, pcm: asPcm16(payload) });
      case "end":
        return this.toPlayer({ end: header.item });
      case "stop":
        return this.toPlayer({ stop: header.items });
      case "mic":
        return header.on ? this.record(true) : this.record(false, header.release);
      case "mute":
        this.mutes = Math.max(this.mutes, header.n);
        this.mute(header.on);
        return this.changed();
      case "welcome":
        this.replaced = header.active === false;
        this.taking = false;
        return this.changed();
      case "replaced":
        this.replaced = true;
        this.record(false, true);
        this.toPlayer({ stop: [] });
        return this.changed();
    }
  }

  /** Play here, not in the other page. */
  takeOver() {
    this.taking = true;
    this.replaced = false;
    if (!this.link.send({ ...this.link.hello(), lane: this.link.name })) this.link.connect();
    this.changed();
  }

  // ---- sound

  /** The context, made when first needed; resolves when its worklet stands (it may still wait for a gesture). */
  start() {
    this.starting ??= (async () => {
      this.sound = "starting";
      const rate = this.model.get("context_rate");
      const context = new AudioContext({ latencyHint: "interactive", ...(rate ? { sampleRate: rate } : {}) });
      this.context = context;
      if (!context.audioWorklet) throw new Error("this page is not secure: open it through https or localhost");
      const url = URL.createObjectURL(new Blob([workletSource()], { type: "text/javascript" }));
      await context.audioWorklet.addModule(url).finally(() => URL.revokeObjectURL(url));
      const player = new AudioWorkletNode(context, "rtnb-play", {
        numberOfInputs: 0,
        outputChannelCount: [2],
        processorOptions: { prebufferMs: this.model.get("prebuffer_ms"), volume: this.volume },
      });
      player.port.onmessage = ({ data }) => this.onPlayed(data);
      player.connect(context.destination);
      this.player = player;
      if (this.output) this.setOutput(this.output);
      context.onstatechange = () => this.onContext();
      this.onContext();
      this.resume();
      return context;
    })().catch((error) => {
      this.sound = "failed";
      this.error = `This page cannot play or record sound (${error.message}).`;
      this.changed();
      throw error;
    });
    return this.starting;
  }

  onContext() {
    if (!this.context || this.closed) return;
    this.sound = this.context.state === "running" ? "running" : "blocked";
    this.changed();
  }

  /** A resume() that waits for a gesture is not fulfilled by a later one: ask again in each. */
  resume() {
    if (this.context && this.context.state !== "running" && this.context.state !== "closed") this.context.resume().catch(() => {});
  }

  /** @param {any} message */
  toPlayer(message) {
    if (this.closed) return;
    const post = () => this.player?.port.postMessage(message, message.pcm ? [message.pcm.buffer] : []);
    if (this.player) return post();
    this.pending = (this.pending ?? Promise.resolve()).then(() => this.start()).then(post, () => {});
  }

  /** @param {number} volume 0 to 1 */
  setVolume(volume) {
    this.volume = volume;
    this.player?.port.postMessage({ volume });
    this.changed();
  }

  /** Play through another loudspeaker, where the browser can (setSinkId). @param {string} id */
  async setOutput(id) {
    this.output = id;
    const context = /** @type {any} */ (this.context);
    if (!context?.setSinkId) return this.changed();
    await context.setSinkId(id).catch((/** @type {Error} */ error) => {
      this.output = "";
      this.error = `That loudspeaker cannot be used (${error.message}); the system's own one plays.`;
    });
    this.changed();
  }

  /** Silence, decided here: the kernel may be busy. */
  silence() {
    if (this.player) this.player.port.postMessage({ stop: [] });
  }

  onPlayed(/** @type {any} */ { reports, stopped, sounding, underruns, late }) {
    this.counts = { underruns, late };
    for (const report of reports) {
      this.reports.delete(report[0]);
      this.reports.set(report[0], { report, stopped });
    }
    for (const id of this.reports.keys()) if (this.reports.size > KEPT_REPORTS) this.reports.delete(id);
    if (reports.length) this.link.send({ kind: "heard", reports, stopped, ...this.counts });
    if (sounding !== this.sounding) {
      this.sounding = sounding;
      this.changed();
    }
    const latency = this.context?.outputLatency || this.context?.baseLatency || 0;
    this.player?.port.postMessage({ latency });
  }

  // ---- microphone

  page() {
    const doc = /** @type {any} */ (document);
    const policy = doc.permissionsPolicy ?? doc.featurePolicy;
    return {
      secure: window.isSecureContext !== false,
      vscode: window.location.protocol.startsWith("vscode") || /vscode-(cdn|webview)/.test(window.location.host),
      mediaDevices: !!navigator.mediaDevices?.getUserMedia,
      policy: policy?.allowsFeature ? policy.allowsFeature("microphone") : true,
      host: window.location.host,
    };
  }

  /** Why there can be no microphone in this page, before anybody asks for it; empty when nothing speaks against it. */
  refusal() {
    return this.model.get("source") ? "" : refusal(null, this.page());
  }

  /** @returns {Promise<MediaStream>} */
  async openStream() {
    const source = this.model.get("source");
    if (source) {
      const other = await this.model.widget_manager.get_model(String(source).replace("IPY_MODEL_", ""));
      return other.captureStream();
    }
    const reason = refusal(null, this.page());
    if (reason) throw new Error(reason);
    const device = this.model.get("device");
    const audio = {
      channelCount: 1,
      echoCancellation: this.model.get("echo_cancellation"),
      noiseSuppression: this.model.get("noise_suppression"),
      autoGainControl: this.model.get("auto_gain"),
      ...(device ? { deviceId: { exact: device } } : {}),
    };
    return navigator.mediaDevices.getUserMedia({ audio }).catch((error) => {
      throw new Error(refusal(error, this.page()));
    });
  }

  /** Opened once, whoever asks; resolves to whether it is open. */
  openMicrophone() {
    clearTimeout(this.closeTimer);
    this.opening ??= (async () => {
      this.microphone = "opening";
      this.error = "";
      this.changed();
      const context = await this.start();
      const stream = await this.openStream();
      const owned = !this.model.get("source");
      const release = () => owned && stream.getTracks().forEach((track) => track.stop());
      if (this.closed || !this.opening) return release(), false;
      this.stream = stream;
      this.release = release;
      const node = context.createMediaStreamSource(stream);
      this.capture = new AudioWorkletNode(context, "rtnb-capture", {
        channelCount: 1,
        channelCountMode: "explicit",
        processorOptions: { prerollMs: this.model.get("preroll_ms") },
      });
      this.capture.port.onmessage = ({ data }) => this.onCaptured(data);
      node.connect(this.capture).connect(context.destination); // silent; keeps the node running in every browser
      this.inlet = node;
      this.applyMute();
      stream.getAudioTracks()[0]?.addEventListener("ended", () => this.onEnded(stream));
      this.microphone = "on";
      this.listDevices();
      this.changed();
      return true;
    })().catch((error) => {
      this.opening = undefined;
      this.microphone = "refused";
      this.wanted = this.recording = false;
      this.error = error.message;
      this.changed();
      return false;
    });
    return this.opening;
  }

  onEnded(/** @type {MediaStream} */ stream) {
    if (this.stream !== stream) return;
    this.closeMicrophone();
    this.error = "The microphone was unplugged, or the browser took it back. Press the button to open it again.";
    this.changed();
  }

  closeMicrophone() {
    clearTimeout(this.closeTimer);
    if (this.recording) this.link.sendFrame({ kind: "audio", take: this.take, seq: -1, last: true }, new Uint8Array(0));
    this.wanted = this.recording = false;
    this.opening = undefined;
    this.release?.();
    this.inlet?.disconnect();
    this.capture?.disconnect();
    this.inlet = this.release = undefined;
    this.stream = this.capture = null;
    this.microphone = "off";
    this.level = -100;
    this.changed();
  }

  async reopen() {
    const recording = this.recording;
    this.closeMicrophone();
    if (recording) await this.record(true);
    else await this.openMicrophone();
  }

  /** Start or stop to hand microphone frames to the kernel. */
  async record(/** @type {boolean} */ on, release = false) {
    if (this.replaced && on) return;
    this.wanted = on;
    if (on) {
      if (!(await this.openMicrophone()) || !this.wanted || this.recording) return;
      this.take++;
      this.recording = true;
      this.capture?.port.postMessage({ recording: true });
      this.changed();
    } else {
      if (this.recording) this.capture?.port.postMessage({ recording: false });
      const seconds = release ? 0.2 : this.model.get("keep_open_s");
      clearTimeout(this.closeTimer);
      if (this.microphone !== "off") this.closeTimer = setTimeout(() => this.wanted || this.closeMicrophone(), 1000 * seconds);
    }
  }

  onCaptured(/** @type {any} */ { frames, level }) {
    for (const { seq, pcm, pre, last } of frames) {
      if (!this.recording) continue;
      this.link.sendFrame({ kind: "audio", take: this.take, seq, pre, last }, pcm);
      if (!last) continue;
      this.recording = false;
      this.changed();
      if (this.wanted) this.record(true); // pressed again before the last frame came
    }
    if (level === undefined) return;
    this.level = level;
    for (const draw of this.views) draw();
  }

  mute(/** @type {boolean} */ on) {
    if (this.muted === !!on) return;
    this.muted = !!on;
    this.applyMute();
    this.changed();
  }

  applyMute() {
    this.capture?.port.postMessage({ muted: this.muted });
    if (this.release) this.stream?.getAudioTracks().forEach((track) => (track.enabled = !this.muted));
  }

  async listDevices() {
    const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    this.devices = all
      .filter(({ kind, deviceId }) => kind === "audioinput" && deviceId)
      .map(({ deviceId, label }, i) => ({ id: deviceId, label: label || `Microphone ${i + 1}` }));
    this.outputs = all
      .filter(({ kind, deviceId }) => kind === "audiooutput" && deviceId && deviceId !== "default")
      .map(({ deviceId, label }, i) => ({ id: deviceId, label: label || `Loudspeaker ${i + 1}` }));
    this.changed();
  }

  pickDevice(/** @type {string} */ id) {
    this.model.set("device", id);
    this.link.send({ kind: "device", id });
  }
}
