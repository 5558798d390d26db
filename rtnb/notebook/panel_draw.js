// @ts-check
/** The waveforms of both sides, drawn from the page's own sound: nothing of it crosses to the kernel. */

/** Fit samples into `width` columns: for each its lowest and highest. @param {Float32Array} samples @param {number} width @returns {[number, number][]} */
export function columns(samples, width) {
  const out = /** @type {[number, number][]} */ ([]);
  for (let i = 0; i < width; i++) {
    const [from, to] = [Math.floor((i * samples.length) / width), Math.max(1, Math.floor(((i + 1) * samples.length) / width))];
    let [low, high] = [0, 0];
    for (let j = from; j < to; j++) {
      if (samples[j] < low) low = samples[j];
      if (samples[j] > high) high = samples[j];
    }
    out.push([low, high]);
  }
  return out;
}

/** An analyser on a node of the engine's, made anew when the node is another one. */
class Tap {
  constructor() {
    this.node = /** @type {any} */ (null);
    this.analyser = /** @type {AnalyserNode | null} */ (null);
  }
  /** @param {any} context @param {any} node @returns {AnalyserNode | null} */
  on(context, node) {
    if (node === this.node) return this.analyser;
    try {
      if (this.analyser) this.node.disconnect(this.analyser);
    } catch {
      // the engine took the node apart already
    }
    this.node = node;
    this.analyser = null;
    if (node && context) {
      this.analyser = new AnalyserNode(context, { fftSize: 2048, smoothingTimeConstant: 0.5 });
      node.connect(this.analyser);
    }
    return this.analyser;
  }
}

/** Draws two canvases as long as they are seen and there is something to draw. */
export class Waves {
  /** @param {{page: any, user: HTMLCanvasElement, model: HTMLCanvasElement}} options */
  constructor({ page, user, model }) {
    this.page = page;
    this.sides = [
      { canvas: user, tap: new Tap(), colour: "--rtnb-user", node: (/** @type {any} */ e) => e.inlet, live: (/** @type {any} */ e) => e.microphone === "on" && !e.muted },
      { canvas: model, tap: new Tap(), colour: "--rtnb-model", node: (/** @type {any} */ e) => e.player, live: (/** @type {any} */ e) => e.sounding },
    ];
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.samples = new Float32Array(2048);
    this.frame = 0;
    this.last = 0;
    this.frames = 0; // drawn so far
    this.visible = true;
    this.observer = new IntersectionObserver(([entry]) => {
      this.visible = entry.isIntersecting;
      this.wake();
    });
    this.observer.observe(user);
    this.draw = this.draw.bind(this);
    for (const side of this.sides) this.line(side, null);
  }

  /** Something may be there to draw. */
  wake() {
    if (!this.frame && this.visible) this.frame = requestAnimationFrame(this.draw);
  }

  /** @param {number} now */
  draw(now) {
    this.frame = 0;
    const { engine } = this.page;
    const pause = this.calm.matches ? 400 : 30; // a picture that flickers less, for who asked for it
    if (now - this.last >= pause) {
      this.last = now;
      this.frames++;
      for (const side of this.sides) {
        const live = engine && !engine.closed && side.live(engine);
        const analyser = live ? side.tap.on(engine.context, side.node(engine)) : null;
        if (analyser) analyser.getFloatTimeDomainData(this.samples);
        this.line(side, analyser ? this.samples : null);
      }
    }
    if (this.visible && engine && !engine.closed && this.sides.some((side) => side.live(engine))) this.frame = requestAnimationFrame(this.draw);
    else for (const side of this.sides) this.line(side, null);
  }

  /** @param {any} side @param {Float32Array | null} samples */
  line({ canvas, colour }, samples) {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const pen = canvas.getContext("2d");
    if (!pen) return;
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = getComputedStyle(canvas).getPropertyValue(colour) || "#888";
    const bar = Math.max(1, Math.round(2 * ratio));
    const count = Math.floor(width / (2 * bar));
    const middle = height / 2;
    const peaks = samples ? columns(samples, count) : Array(count).fill([0, 0]);
    peaks.forEach(([low, high], i) => {
      const size = Math.max(bar, Math.min(height, Math.sqrt(Math.max(high, -low)) * height));
      pen.fillRect(2 * bar * i, middle - size / 2, bar, size);
    });
  }

  close() {
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    for (const { tap } of this.sides) tap.on(null, null);
  }
}
