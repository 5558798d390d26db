// @ts-check
/** Lanes: how messages cross between page and kernel; the table of messages stands in `wires.py`. */

import { FrameQueue, PROBE, asBytes, fromBase64, isProbe, median, pack, sendControl, socketAddresses, toBase64, unpack, within } from "./audio_wire.js";

/** The page's end of all lanes: finds the best one, keeps it, carries messages over it. */
export class Link {
  /** @param {any} engine */
  constructor(engine) {
    this.engine = engine;
    this.model = engine.model;
    this.page = [...crypto.getRandomValues(new Uint8Array(8))].map((x) => x.toString(16).padStart(2, "0")).join("");
    this.lane = /** @type {any} */ (null);
    this.name = "";
    this.ms = NaN;
    this.tried = /** @type {string[]} */ ([]);
    this.seen = 0; // number of the last message of the kernel's that was carried out
    this.queue = new FrameQueue(200); // 8 s of frames
    this.waiting = /** @type {Map<string, (value: any) => void>} */ (new Map());
    this.closed = false;
    this.round = 0;
    this.onCustom = this.onCustom.bind(this);
    this.model.on("msg:custom", this.onCustom);
  }

  get kernel() {
    return this.model.widget_manager?.kernel ?? null;
  }

  /** Try the lanes, best first. */
  async connect() {
    const round = ++this.round;
    const current = () => round === this.round && !this.closed;
    for (let pause = 200; current(); pause = Math.min(5000, 2 * pause)) {
      this.tried = [];
      const address = this.model.get("_address") || {};
      const allowed = this.model.get("lanes") || [];
      const baseUrl = JSON.parse(document.getElementById("jupyter-config-data")?.textContent || "{}").baseUrl || "/";
      const openers = socketAddresses(window.location, baseUrl, address.port).map(({ name, url }) => [
        name,
        () => this.openSocket(name, url, address),
      ]);
      openers.push(["control", () => this.openControl()], ["comm", () => this.openComm()]);
      for (const [name, open] of openers) {
        if (!allowed.includes(name) || !current()) continue;
        try {
          const lane = await /** @type {any} */ (open)();
          if (!current()) return lane.close();
          return this.use(lane);
        } catch (error) {
          this.tried.push(`${name}: ${/** @type {Error} */ (error).message}`);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  hello() {
    const { token } = this.model.get("_address") || {};
    const { page, round, seen } = this;
    return { kind: "hello", token, page, round, seen, take: this.engine.taking, state: this.engine.state() };
  }

  /** @param {string} name @param {string} url @param {any} address */
  async openSocket(name, url, address) {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    const lane = {
      name,
      send: (/** @type {any} */ header, /** @type {any} */ payload) =>
        socket.send(payload ? pack(header, payload) : JSON.stringify(header)),
      busy: () => socket.bufferedAmount > 96_000 || socket.readyState !== 1,
      close: () => socket.close(),
    };
    try {
      await within(
        new Promise((resolve, reject) => {
          socket.onerror = socket.onclose = () => reject(new Error("no connection"));
          socket.onmessage = ({ data }) => {
            const [header, payload] = typeof data === "string" ? [JSON.parse(data), null] : unpack(data);
            // The server names itself first: the token goes to our kernel only, not to whoever has the port.
            if (header.kind === "rtnb" && header.id === address.id) lane.send({ ...this.hello(), lane: name }, null);
            else if (header.kind === "rtnb") reject(new Error("another program listens there"));
            else if (header.kind === "welcome") resolve(header);
            if (header.kind !== "rtnb") this.receive(header, payload);
          };
        }),
        2500,
        name,
      );
    } catch (error) {
      socket.onmessage = socket.onclose = null;
      socket.close();
      throw error;
    }
    socket.onclose = () => this.lost(lane);
    return lane;
  }

  /** The kernel's control channel with a message type of our own; answers come as widget messages. */
  async openControl() {
    const kernel = this.kernel;
    if (!kernel?.sendControlMessage) throw new Error("the front end gives no way to it");
    const lane = this.messageLane("control", (content, buffers) => sendControl(kernel, this.page, content, buffers));
    await this.greet(lane, 2500);
    return lane;
  }

  /** The widget's own comm: it may answer only when no cell runs, so it is not waited for. */
  async openComm() {
    const lane = this.messageLane("comm", (content, buffers) => this.model.send(content, undefined, buffers));
    this.greet(lane, 3_600_000).catch(() => {});
    return lane;
  }

  /** @param {string} name @param {(content: any, buffers: ArrayBuffer[]) => void} post */
  messageLane(name, post) {
    const lane = {
      name,
      binary: true,
      send: (/** @type {any} */ header, /** @type {any} */ payload) => {
        const content = { rtnb: this.model.get("_address")?.link, page: this.page, ...header };
        if (!payload) return post(content, []);
        const bytes = asBytes(payload);
        if (lane.binary) post(content, [/** @type {ArrayBuffer} */ (bytes.slice().buffer)]);
        else post({ ...content, data64: toBase64(bytes) }, []);
      },
      busy: () => this.kernel && this.kernel.connectionStatus !== undefined && this.kernel.connectionStatus !== "connected",
      close: () => {},
    };
    return lane;
  }

  /** @param {any} lane @param {number} ms */
  async greet(lane, ms) {
    const answer = this.expect(`welcome-${lane.name}`);
    lane.send({ ...this.hello(), lane: lane.name }, PROBE);
    const header = await within(answer, ms, lane.name);
    lane.binary = header.buffers !== false;
    lane.send({ kind: "buffers", ok: header.payloadSeen === true }, null);
  }

  /** @param {string} key */
  expect(key) {
    return new Promise((resolve) => this.waiting.set(key, resolve));
  }

  /** @param {any} lane */
  async use(lane) {
    this.lane = lane;
    this.name = lane.name;
    this.ms = NaN;
    this.engine.onLane();
    this.flush();
    // The first look comes while the page is busy drawing the widget, so the second replaces it.
    for (let silent = 0, looks = 0; this.lane === lane; ) {
      const times = [];
      for (let i = 0; i < (looks < 2 ? 5 : 1) && this.lane === lane; i++) {
        const key = `pong-${performance.now()}`;
        const answer = this.expect(key);
        const start = performance.now();
        try {
          lane.send({ kind: "ping", key }, null);
          await within(answer, lane.name === "comm" ? 3_600_000 : 5000, "ping");
          times.push(performance.now() - start);
          silent = 0;
        } catch {
          this.waiting.delete(key);
          if (++silent > 2 && this.lane === lane) return this.lost(lane);
        }
      }
      if (times.length && this.lane === lane) {
        const ms = median(times);
        this.ms = looks < 2 ? ms : 0.7 * this.ms + 0.3 * ms;
        lane.send({ kind: "lane", name: lane.name, ms: Math.round(10 * this.ms) / 10, tried: this.tried }, null);
        this.engine.changed();
      }
      await new Promise((resolve) => setTimeout(resolve, looks++ ? 5000 : 1500));
    }
  }

  /** @param {any} lane */
  lost(lane) {
    if (this.lane !== lane) return;
    lane.close();
    this.lane = null;
    this.name = "";
    this.engine.onLane();
    if (!this.closed && !this.engine.replaced) this.connect();
  }

  /** A widget message of the kernel's: the way back of the control lane and of the comm. */
  onCustom(/** @type {any} */ content, /** @type {DataView[]} */ buffers) {
    if (content?.rtnb !== this.page) return;
    const payload = content.data64 ? fromBase64(content.data64) : buffers?.[0] ?? null;
    if (content.kind === "welcome") content.payloadSeen = isProbe(payload);
    this.receive(content, payload);
  }

  receive(/** @type {any} */ header, /** @type {any} */ payload) {
    const key = header.kind === "pong" ? header.key : header.kind === "welcome" ? `welcome-${header.lane}` : "";
    if (key) {
      this.waiting.get(key)?.(header);
      this.waiting.delete(key);
      if (header.kind === "pong") return;
    }
    if (header.seq !== undefined) {
      if (header.seq <= this.seen) return; // sent again after a lane was lost
      this.seen = header.seq;
      this.ackTimer ??= setTimeout(() => this.ack(), 200);
    }
    this.engine.receive(header, payload);
  }

  ack() {
    clearTimeout(this.ackTimer);
    this.ackTimer = undefined;
    this.send({ kind: "ack", seq: this.seen });
  }

  /** @param {any} header @param {ArrayBufferView} [payload] @returns {boolean} */
  send(header, payload) {
    if (!this.lane) return false;
    try {
      this.lane.send(header, payload ?? null);
      return true;
    } catch {
      return false;
    }
  }

  /** Microphone frames wait here while there is no lane, or a full one. */
  sendFrame(/** @type {any} */ header, /** @type {ArrayBufferView} */ payload) {
    this.queue.push([header, payload]);
    this.flush();
  }

  flush() {
    while (this.queue.frames.length && this.lane && !this.lane.busy()) {
      const [header, payload] = this.queue.shift();
      if (!this.send({ ...header, dropped: this.queue.dropped }, payload)) break;
    }
    clearTimeout(this.flushTimer);
    if (this.queue.frames.length && !this.closed) this.flushTimer = setTimeout(() => this.flush(), 50);
  }

  close() {
    if (this.closed) return;
    this.send({ kind: "bye" });
    this.closed = true;
    this.round++;
    const lane = this.lane;
    this.lane = null;
    lane?.close();
    this.model.off("msg:custom", this.onCustom);
  }
}
