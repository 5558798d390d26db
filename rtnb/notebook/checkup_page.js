// @ts-check
/**
 * The check-up's look at the page: what it is, what it may do, and which ways lead from it to the kernel.
 *
 * It shows nothing and asks the user nothing: no microphone is opened. The messages are those of `wires.py`, and in
 * addition, from page to kernel:
 *
 *   facts   facts: about the page (the fields of `rtnb.core.check_facts.Page`)
 *   lanes   lanes: [{name, ms, why, up, down}], done: whether all were tried
 */

import { PROBE, isProbe, sendControl, socketAddresses, within } from "./audio_wire.js";

const LANE_MS = 2500;
const COMM_MS = 120_000; // it may be answered only when the cell has ended

/** Name and version of the browser. @param {string} agent @returns {string} */
export function browserName(agent) {
  const known = /** @type {[string, RegExp][]} */ ([
    ["Edge", /\bEdg(?:A|iOS)?\/(\d+)/],
    ["Opera", /\bOPR\/(\d+)/],
    ["Firefox", /\b(?:Firefox|FxiOS)\/(\d+)/],
    ["Chrome", /\b(?:Chrome|CriOS|HeadlessChrome)\/(\d+)/],
    ["Safari", /\bVersion\/(\d+)[^ ]* .*Safari\//],
  ]);
  for (const [name, pattern] of known) {
    const found = pattern.exec(agent);
    if (found) return `${name} ${found[1]}`;
  }
  return "";
}

/** Jupyter's own settings in the page. @returns {any} */
function config() {
  return JSON.parse(document.getElementById("jupyter-config-data")?.textContent || "{}");
}

/** What the page is and may do. @returns {Promise<Record<string, any>>} */
async function gather() {
  const { appName = "", appVersion = "" } = config();
  const doc = /** @type {any} */ (document);
  const policy = doc.permissionsPolicy ?? doc.featurePolicy;
  const { protocol, host } = window.location;
  let permission = "unknown";
  let microphones = -1;
  try {
    permission = (await within(navigator.permissions.query(/** @type {any} */ ({ name: "microphone" })), 1000)).state;
  } catch {} // Firefox below 132 does not tell
  try {
    const devices = await within(navigator.mediaDevices.enumerateDevices(), 1000);
    microphones = devices.filter(({ kind }) => kind === "audioinput").length;
  } catch {}
  return {
    app: appName,
    version: appVersion,
    browser: browserName(navigator.userAgent),
    host,
    secure: window.isSecureContext !== false,
    vscode: protocol.startsWith("vscode") || /vscode-(cdn|webview)/.test(host),
    colab: !!(/** @type {any} */ (window).google?.colab) || /\.googleusercontent\.com$/.test(host),
    media: !!navigator.mediaDevices?.getUserMedia,
    policy: policy?.allowsFeature ? policy.allowsFeature("microphone") : true,
    worklet: "AudioWorkletNode" in window,
    permission,
    microphones,
  };
}

/** One look, over all lanes at once. */
class Look {
  /** @param {any} model */
  constructor(model) {
    this.model = model;
    this.address = model.get("_address") || {};
    this.page = [...crypto.getRandomValues(new Uint8Array(8))].map((x) => x.toString(16).padStart(2, "0")).join("");
    this.sockets = /** @type {WebSocket[]} */ ([]);
    this.waiting = /** @type {Map<string, (answer: any) => void>} */ (new Map());
    this.onCustom = (/** @type {any} */ content, /** @type {DataView[]} */ buffers) => {
      if (content?.rtnb === this.page) this.answered(content.lane ?? content.key?.split("/")[0], content, buffers?.[0]);
    };
    model.on("msg:custom", this.onCustom);
  }

  /** @param {string} lane @param {any} header @param {any} payload */
  answered(lane, header, payload) {
    const key = header.kind === "pong" ? header.key : `${header.kind}/${lane}`;
    this.waiting.get(key)?.({ ...header, whole: isProbe(payload) });
    this.waiting.delete(key);
  }

  /** @param {string} key @param {number} ms @returns {Promise<any>} */
  expect(key, ms) {
    return within(new Promise((resolve) => this.waiting.set(key, resolve)), ms);
  }

  /** @param {string} lane */
  hello(lane) {
    return { kind: "hello", token: this.address.token, page: this.page, round: 1, seen: 0, lane };
  }

  /** @param {string} lane @param {(header: any) => void} send @returns {Promise<number>} median of five round trips */
  async time(lane, send) {
    const times = [];
    for (let i = 0; i < 5; i++) {
      const key = `${lane}/${i}`;
      const answer = this.expect(key, LANE_MS);
      const start = performance.now();
      send({ kind: "ping", key });
      await answer;
      times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b)[2];
  }

  /** @param {string} name @param {string} url */
  async socket(name, url) {
    const socket = new WebSocket(url);
    this.sockets.push(socket);
    const send = (/** @type {any} */ header) => socket.send(JSON.stringify(header));
    const welcome = this.expect(`welcome/${name}`, LANE_MS);
    const failed = new Promise((_, reject) => {
      socket.onerror = socket.onclose = () => reject(new Error("no connection"));
      socket.onmessage = ({ data }) => {
        const header = JSON.parse(data);
        // The server names itself first: the token goes to our kernel only.
        if (header.kind === "rtnb" && header.id === this.address.id) send(this.hello(name));
        else if (header.kind === "rtnb") reject(new Error("another program listens there"));
        else this.answered(name, header, null);
      };
    });
    failed.catch(() => {});
    welcome.catch(() => {});
    await Promise.race([welcome, failed]);
    return { name, ms: await this.time(name, send), send };
  }

  async control() {
    const kernel = this.model.widget_manager?.kernel;
    if (!kernel?.sendControlMessage) throw new Error("the front end gives no way to it");
    const send = (/** @type {any} */ message, /** @type {Uint8Array=} */ bytes) => {
      const content = { rtnb: this.address.link, page: this.page, ...message };
      sendControl(kernel, this.page, content, bytes ? [/** @type {ArrayBuffer} */ (bytes.slice().buffer)] : []);
    };
    const welcome = this.expect("welcome/control", LANE_MS);
    send(this.hello("control"), PROBE);
    const { buffers, whole } = await welcome;
    return { name: "control", ms: await this.time("control", send), up: buffers === true, down: whole, send };
  }

  async comm() {
    const send = (/** @type {any} */ header, /** @type {Uint8Array=} */ bytes) =>
      this.model.send({ rtnb: this.address.link, page: this.page, ...header }, undefined, bytes ? [bytes.slice().buffer] : []);
    const welcome = this.expect("welcome/comm", COMM_MS);
    const start = performance.now();
    send(this.hello("comm"), PROBE);
    const { buffers, whole } = await welcome;
    return { name: "comm", ms: performance.now() - start, up: buffers === true, down: whole, send };
  }

  async run() {
    const tries = socketAddresses(window.location, config().baseUrl || "/", this.address.port).map(({ name, url }) => ({
      name,
      result: this.socket(name, url),
    }));
    tries.push(/** @type {any} */ ({ name: "control", result: this.control() }));
    const slow = { name: "comm", result: this.comm() };
    const facts = await gather();
    const lanes = /** @type {any[]} */ ([]);
    /** @type {any} */
    let best = null;
    for (const { name, result } of tries) {
      try {
        const lane = /** @type {any} */ (await result);
        best ??= lane;
        lanes.push({ ...lane, send: undefined });
      } catch (error) {
        lanes.push({ name, ms: null, why: /** @type {Error} */ (error).message });
      }
    }
    const report = [{ kind: "facts", facts }, { kind: "lanes", lanes }];
    if (best) report.forEach((message) => best.send(message));
    try {
      const lane = /** @type {any} */ (await slow.result);
      const message = { kind: "lanes", lanes: [...lanes, { ...lane, send: undefined }], done: true };
      if (!best) lane.send(report[0]);
      (best ?? lane).send(message);
    } catch {} // the cell ended long ago, and so did the look
    setTimeout(() => this.close(), 2000);
  }

  close() {
    this.model.off("msg:custom", this.onCustom);
    for (const socket of this.sockets) socket.close();
  }
}

export default () => {
  /** @type {Look} */
  let look;
  return {
    initialize(/** @type {{model: any}} */ { model }) {
      look = new Look(model);
      look.run();
      return () => look.close();
    },
    render(/** @type {{el: HTMLElement}} */ { el }) {
      el.replaceChildren();
    },
  };
};
