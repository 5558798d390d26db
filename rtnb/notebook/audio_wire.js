// @ts-check
/** Messages as bytes, addresses, and why there is no microphone: the parts that need no page. */

/** Frames that wait for a lane: bounded, the oldest is dropped and counted. */
export class FrameQueue {
  /** @param {number} limit */
  constructor(limit) {
    this.limit = limit;
    /** @type {any[]} */
    this.frames = [];
    this.dropped = 0;
  }

  /** @param {any} frame */
  push(frame) {
    this.frames.push(frame);
    while (this.frames.length > this.limit) {
      this.frames.shift();
      this.dropped++;
    }
  }

  shift() {
    return this.frames.shift();
  }
}

/**
 * One message of a WebSocket: length of the header (uint16, little endian), header as JSON padded to an even length, bytes.
 * @param {object} header @param {ArrayBufferView | ArrayBuffer} [payload] @returns {Uint8Array}
 */
export function pack(header, payload) {
  let text = new TextEncoder().encode(JSON.stringify(header));
  if (text.length % 2) text = new TextEncoder().encode(JSON.stringify(header) + " ");
  const bytes = payload ? asBytes(payload) : new Uint8Array(0);
  const out = new Uint8Array(2 + text.length + bytes.length);
  new DataView(out.buffer).setUint16(0, text.length, true);
  out.set(text, 2);
  out.set(bytes, 2 + text.length);
  return out;
}

/** @param {ArrayBuffer} buffer @returns {[any, Uint8Array]} */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint16(0, true);
  return [JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 2, length))), new Uint8Array(buffer, 2 + length)];
}

/** @param {ArrayBufferView | ArrayBuffer} x @returns {Uint8Array} */
export function asBytes(x) {
  return ArrayBuffer.isView(x) ? new Uint8Array(x.buffer, x.byteOffset, x.byteLength) : new Uint8Array(x);
}

/** Bytes of PCM16 as numbers, whatever their alignment. @param {ArrayBufferView | ArrayBuffer} x @returns {Int16Array} */
export function asPcm16(x) {
  const bytes = asBytes(x);
  return new Int16Array(bytes.slice(0, bytes.length & ~1).buffer);
}

/** @param {ArrayBufferView | ArrayBuffer} x @returns {string} */
export function toBase64(x) {
  let text = "";
  const bytes = asBytes(x);
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

/** @param {string} text @returns {Uint8Array} */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/** @param {number[]} values @returns {number} */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

/**
 * Why there is no microphone, and what to do, in words.
 * @param {{name?: string, message?: string, constraint?: string} | null} error what getUserMedia threw; null: before it was asked
 * @param {{secure: boolean, vscode: boolean, mediaDevices: boolean, policy: boolean, host: string}} page
 * @returns {string} empty when nothing speaks against asking
 */
export function refusal(error, page) {
  const next = " Without one you can still type, send a recorded clip, or use the kernel's microphone (rtnb.notebook.kernel_audio).";
  if (page.vscode)
    return "VS Code gives notebooks no microphone. Open this notebook in JupyterLab in a browser to speak." + next;
  if (!page.secure)
    return `Browsers give the microphone only to secure pages, and http://${page.host} is not one. Open the page through https, or through localhost (an SSH tunnel will do).` + next;
  if (!page.mediaDevices) return "This browser or window offers no microphone to pages (navigator.mediaDevices is missing)." + next;
  if (!page.policy)
    return "The server forbids the microphone to this page (Permissions-Policy header, or a frame without allow=\"microphone\"). Ask whoever runs the server." + next;
  if (!error) return "";
  const said = error.message || "";
  switch (error.name) {
    case "NotFoundError":
    case "DevicesNotFoundError":
      return "No microphone was found. Plug one in, or switch it on in the system's sound settings, and press the button again." + next;
    case "NotAllowedError":
    case "PermissionDeniedError":
      if (/system/i.test(said))
        return "The operating system denies the microphone to this browser. Allow it in the system's privacy settings, then press the button again." + next;
      if (/dismiss/i.test(said))
        return "The browser's question about the microphone was closed without an answer. Press the button again and choose Allow.";
      return "The microphone was refused to this page. Allow it with the icon at the left of the address bar, then press the button again." + next;
    case "NotReadableError":
    case "TrackStartError":
      return "The microphone is there but cannot be opened: another program may be using it. Close that program, or choose another microphone." + next;
    case "OverconstrainedError":
    case "ConstraintNotSatisfiedError":
      return `The chosen microphone is not there any more, or cannot do what was asked (${error.constraint || "device"}). Choose another one in the list.`;
    case "AbortError":
      return "The system stopped the microphone while it was being opened. Press the button again." + next;
    case "SecurityError":
      return "The browser's settings forbid the microphone on this page." + next;
    default:
      return `The microphone could not be opened (${error.name || "error"}: ${said || "no reason given"}).` + next;
  }
}

/**
 * The addresses at which the kernel's own WebSocket may be reached, best first.
 * @param {{protocol: string, hostname: string, host: string}} location @param {string} baseUrl @param {number} port
 * @returns {{name: string, url: string}[]}
 */
export function socketAddresses(location, baseUrl, port) {
  const out = [];
  if (!port) return out; // the kernel could not open its socket
  const local = /^(localhost|127(\.\d+){3}|\[?::1\]?)$/.test(location.hostname);
  if (local || location.protocol.startsWith("vscode")) out.push({ name: "websocket", url: `ws://127.0.0.1:${port}/` });
  if (location.protocol.startsWith("http")) {
    const base = (baseUrl.startsWith("/") ? baseUrl : "/").replace(/\/*$/, "/");
    out.push({ name: "proxy", url: `${location.protocol.replace("http", "ws")}//${location.host}${base}proxy/${port}/` });
  }
  return out;
}

/** Bytes that show whether a front end loses binary buffers. */
export const PROBE = Uint8Array.of(1, 2, 254, 255);

/** @param {ArrayBufferView | ArrayBuffer | null | undefined} payload @returns {boolean} whether the probe's bytes came whole */
export function isProbe(payload) {
  return !!payload && asBytes(payload).join() === PROBE.join();
}

/** Reject after a while. @template T @param {Promise<T>} promise @param {number} ms @param {string} [what] @returns {Promise<T>} */
export function within(promise, ms, what) {
  /** @type {any} */
  let timer;
  const text = `${what ? `${what}: ` : ""}no answer in ${ms} ms`;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(text)), ms)));
  return Promise.race([promise, /** @type {Promise<never>} */ (late)]).finally(() => clearTimeout(timer));
}

/**
 * A message of our own type on the kernel's control channel, which is read while a cell runs.
 * @param {any} kernel the front end's connection to it @param {string} page @param {any} content @param {ArrayBuffer[]} buffers
 */
export function sendControl(kernel, page, content, buffers) {
  const header = { msg_id: `${page}-${Math.random()}`, msg_type: "rtnb_audio", session: kernel.clientId };
  const whole = { ...header, username: kernel.username, version: "5.2", date: new Date().toISOString() };
  kernel.sendControlMessage({ header: whole, parent_header: {}, metadata: {}, content, channel: "control", buffers }, false, true);
}
