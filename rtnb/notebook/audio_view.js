// @ts-check
/** The small view of an AudioIO: talk, mute, level, device, lane. */

import { ownKeys } from "./keys.js";
import { Engine } from "./audio_engine.js";

const STYLE = `
.rtnb-io { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 8px; padding: 4px 2px; max-width: 60em;
  font: var(--jp-ui-font-size1, 13px)/1.4 var(--jp-ui-font-family, system-ui, sans-serif); color: var(--jp-ui-font-color1, #222); }
.rtnb-io button, .rtnb-io select { font: inherit; color: inherit; height: 28px; border-radius: 4px; padding: 0 10px;
  border: 1px solid var(--jp-border-color1, #bbb); background: var(--jp-layout-color1, #fff); }
.rtnb-io select { max-width: 14em; padding: 0 4px; }
.rtnb-io button { cursor: pointer; }
.rtnb-io button:hover { background: var(--jp-layout-color2, #eee); }
.rtnb-io :is(button, select):focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
.rtnb-io .rtnb-mic { min-width: 8.5em; font-weight: 600; touch-action: none; user-select: none; }
.rtnb-io .rtnb-mic[aria-pressed=true] { background: var(--jp-error-color1, #d32f2f); border-color: transparent; color: #fff; }
.rtnb-io .rtnb-on { background: var(--jp-warn-color1, #f57c00); border-color: transparent; color: #111; }
.rtnb-io .rtnb-meter { width: 92px; height: 8px; border-radius: 4px; overflow: hidden; background: var(--jp-layout-color3, #ddd); }
.rtnb-io .rtnb-meter i { display: block; height: 100%; width: 100%; transform-origin: left; transform: scaleX(0);
  background: var(--jp-success-color1, #388e3c); }
.rtnb-io .rtnb-lane { margin-left: auto; font-size: var(--jp-ui-font-size0, 11px); color: var(--jp-ui-font-color2, #666); }
.rtnb-io .rtnb-note { flex-basis: 100%; }
.rtnb-io .rtnb-note.rtnb-bad { color: var(--jp-error-color1, #d32f2f); }
.rtnb-io [hidden] { display: none; }`;

const LANES = /** @type {Record<string, string>} */ ({
  websocket: "direct socket",
  proxy: "socket through the server",
  control: "control channel",
  comm: "widget messages",
});

/** Draw the engine into `el`. @param {{engine: Engine, el: HTMLElement}} options @returns {() => void} */
export function view({ engine, el }) {
  const abort = new AbortController();
  const root = document.createElement("div");
  root.className = "rtnb-io";
  ownKeys(root);
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Microphone and loudspeaker");
  root.innerHTML = `<style>${STYLE}</style>
    <button class="rtnb-mic" type="button" aria-pressed="false" title="Hold to talk, or click to latch. Space and Enter do the same, Escape ends."></button>
    <button class="rtnb-mute" type="button" aria-pressed="false"></button>
    <div class="rtnb-meter" role="meter" aria-label="Microphone level" aria-valuemin="-60" aria-valuemax="0"><i></i></div>
    <select aria-label="Microphone"></select>
    <button class="rtnb-quiet" type="button" title="Stop the voice">Silence</button>
    <button class="rtnb-enable rtnb-on" type="button">Enable sound</button>
    <button class="rtnb-here rtnb-on" type="button">Use this page</button>
    <span class="rtnb-lane"></span>
    <div class="rtnb-note" role="status"></div>`;
  el.replaceChildren(root);
  const $ = (/** @type {string} */ selector) => /** @type {any} */ (root.querySelector(selector));
  const [mic, mute, meter, bar, select] = [".rtnb-mic", ".rtnb-mute", ".rtnb-meter", ".rtnb-meter i", "select"].map($);
  const [quiet, enable, here, lane, note] = [".rtnb-quiet", ".rtnb-enable", ".rtnb-here", ".rtnb-lane", ".rtnb-note"].map($);
  const on = (/** @type {EventTarget} */ target, /** @type {string} */ name, /** @type {(event: any) => void} */ fn) =>
    target.addEventListener(name, fn, { signal: abort.signal });

  // Hold to talk; a short press latches, the next press ends.
  let pressedAt = 0; // 0: nothing is held
  const press = () => {
    if (pressedAt) return;
    if (engine.wanted) return engine.record(false);
    pressedAt = performance.now();
    engine.resume();
    engine.silence();
    engine.record(true);
  };
  const letGo = (latch = true) => {
    const held = pressedAt && performance.now() - pressedAt;
    pressedAt = 0;
    if (held && (held > 350 || !latch)) engine.record(false);
  };
  on(mic, "pointerdown", (event) => {
    if (event.button) return;
    mic.setPointerCapture(event.pointerId); // released outside the button is released too
    press();
  });
  on(mic, "pointerup", () => letGo());
  on(mic, "pointercancel", () => letGo(false));
  on(mic, "contextmenu", (event) => pressedAt && event.preventDefault());
  on(mic, "keydown", (event) => {
    if (event.key === "Escape") engine.record(false), engine.silence();
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) press();
  });
  on(mic, "keyup", (event) => (event.key === " " || event.key === "Enter") && (event.preventDefault(), letGo()));
  on(mic, "blur", () => letGo(false));
  on(mute, "click", () => engine.mute(!engine.muted));
  on(quiet, "click", () => engine.silence());
  on(here, "click", () => engine.takeOver());
  on(enable, "click", () => engine.start().then(() => engine.resume(), () => {}));
  on(select, "change", () => engine.pickDevice(select.value));

  let devices = "";
  const draw = () => {
    const { link, microphone, error, sound, replaced } = engine;
    mic.setAttribute("aria-pressed", String(engine.recording));
    mic.textContent = engine.recording ? "■ Listening" : microphone === "opening" ? "Opening…" : "● Talk";
    mic.disabled = replaced || engine.closed;
    mute.textContent = engine.muted ? "Muted" : "Mute";
    mute.setAttribute("aria-pressed", String(engine.muted));
    mute.classList.toggle("rtnb-on", engine.muted);
    const level = engine.muted ? -100 : engine.level;
    bar.style.transform = `scaleX(${Math.max(0, Math.min(1, 1 + level / 60))})`;
    meter.setAttribute("aria-valuenow", String(Math.max(-60, Math.round(level))));
    const known = JSON.stringify([engine.devices, engine.model.get("device")]);
    if (known !== devices) {
      devices = known;
      select.replaceChildren(new Option("Default microphone", ""), ...engine.devices.filter(({ id }) => id !== "default").map(({ id, label }) => new Option(label, id)));
      select.value = engine.model.get("device");
      select.hidden = engine.devices.length < 2 || !!engine.model.get("source");
    }
    quiet.hidden = !engine.sounding;
    enable.hidden = sound !== "blocked";
    here.hidden = !replaced;
    lane.textContent = engine.closed ? "closed" : !link.name ? "connecting…" : LANES[link.name] + (link.ms >= 0 ? ` · ${link.ms.toFixed(1)} ms` : "") + (link.queue.dropped ? ` · ${link.queue.dropped} frames lost` : "");
    lane.title = link.tried.join("\n");
    const text = replaced ? "Another page plays the sound of this notebook now." : error || (sound === "blocked" ? "The browser plays sound only after a click or a key in this page." : link.name === "comm" ? engine.model.get("_comm_warning") : "");
    if (note.textContent !== text) note.textContent = text;
    note.classList.toggle("rtnb-bad", !!error);
    note.hidden = !text;
  };
  engine.views.add(draw);
  draw();
  return () => {
    letGo(false);
    abort.abort();
    engine.views.delete(draw);
    el.replaceChildren();
  };
}
