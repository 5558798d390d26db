// @ts-check
/** One place where the panel is shown: its elements, and what clicks and keys do. How they are filled: `panel_sync.js`. */

import { ownKeys } from "./keys.js";
import { Waves } from "./panel_draw.js";
import { PARAMETERS, sync } from "./panel_sync.js";

let views = 0;

/** @param {string} id @returns {string} */
const skeleton = (id) => `
<div class="rtnb-head">
  <span class="rtnb-state" role="status"><span class="rtnb-shape" aria-hidden="true"></span><b class="rtnb-word"></b> <span class="rtnb-doing"></span></span>
  <span class="rtnb-where"></span>
  <span class="rtnb-sum"></span>
  <span class="rtnb-buttons">
    <button type="button" class="rtnb-connect rtnb-primary"></button>
    <button type="button" class="rtnb-new" title="Close, and connect again: an empty conversation">New session</button>
  </span>
</div>
<div class="rtnb-why" role="alert"></div>
<div class="rtnb-notices"><div class="rtnb-errors" role="alert"></div><div class="rtnb-hints" role="status"></div></div>
<div class="rtnb-talk">
  <button type="button" class="rtnb-record" aria-pressed="false" aria-describedby="${id}-how"></button>
  <div class="rtnb-side">
    <button type="button" class="rtnb-mute" aria-pressed="false">Mute</button>
    <button type="button" class="rtnb-stop" title="Stop the answer (Escape)">■ Stop</button>
  </div>
  <div class="rtnb-waves">
    <div><span id="${id}-you">You</span><canvas class="rtnb-wave" role="img" aria-labelledby="${id}-you ${id}-wave"></canvas></div>
    <div><span id="${id}-it">Model</span><canvas class="rtnb-wave" role="img" aria-labelledby="${id}-it ${id}-wave"></canvas></div>
    <span id="${id}-wave" hidden>live waveform</span>
  </div>
  <fieldset class="rtnb-vad"><legend>Who ends your turn?</legend>
    <label><input type="radio" name="${id}-vad" value=""> You</label>
    <label><input type="radio" name="${id}-vad" value="server_vad"> Server VAD</label>
    <label><input type="radio" name="${id}-vad" value="semantic_vad"> Semantic VAD</label>
  </fieldset>
</div>
<p class="rtnb-how" id="${id}-how"></p>
<div class="rtnb-captions" role="log" aria-live="polite" aria-label="Captions" tabindex="0"></div>
<form class="rtnb-ask">
  <textarea rows="1" aria-label="Type a question" placeholder="Type a question, Enter sends"></textarea>
  <button type="submit" class="rtnb-send">Send</button>
  <label>while it speaks <select class="rtnb-busy"><option value="interrupt">interrupts</option><option value="queue">waits</option></select></label>
</form>
<details class="rtnb-without"><summary>Without a microphone</summary><div class="rtnb-body">
  <p class="rtnb-reason"></p>
  <div class="rtnb-row">
    <button type="button" class="rtnb-kernel" aria-pressed="false">Kernel's microphone</button>
    <label class="rtnb-file">Send a sound file <input type="file" class="rtnb-upload" accept="audio/*,.wav,.flac,.ogg,.mp3,.webm"></label>
  </div>
  <div class="rtnb-row rtnb-clips"><label>Recorded question <select class="rtnb-clip"></select></label><button type="button" class="rtnb-send-clip">Send it</button></div>
  <form class="rtnb-row rtnb-say"><label>The machine says <input type="text" value="What is the weather in New York?"></label><button type="submit">Say it</button></form>
</div></details>
<details class="rtnb-settings"><summary>Settings</summary><div class="rtnb-body">
  <div class="rtnb-grid">
    ${["model", "voice"].map((name) => `<label>${name === "model" ? "Model" : "Voice"} <select data-set="${name}" aria-describedby="${id}-${name}"></select><small id="${id}-${name}"></small></label>`).join("")}
    <label>Answers <select data-set="output" aria-describedby="${id}-output"><option value="audio">spoken</option><option value="text">written</option></select><small id="${id}-output"></small></label>
    <label>Microphone <select class="rtnb-input"></select></label>
    <label>Loudspeaker <select class="rtnb-output"></select></label>
    <label>Volume <input type="range" class="rtnb-volume" min="0" max="100" step="5"></label>
  </div>
  <label class="rtnb-wide">Instructions <textarea data-set="instructions" rows="3" aria-describedby="${id}-instructions"></textarea><small id="${id}-instructions"></small></label>
  <div class="rtnb-row"><label><input type="checkbox" class="rtnb-greet"> greet when connected</label>
  <label><input type="checkbox" class="rtnb-half"> deaf while it speaks (against echo)</label></div>
  <fieldset class="rtnb-parameters"><legend>Turn detection</legend><div class="rtnb-grid"></div></fieldset>
</div></details>
<details class="rtnb-account"><summary>Cost, latency, packets</summary><div class="rtnb-body"><p class="rtnb-total"></p>
  <div class="rtnb-budget"></div>
  <div class="rtnb-scroll" tabindex="0" role="group" aria-label="Turns"><table><caption>The last turns</caption><thead><tr>${["Turn", "Begun by", "First answer", "First heard", "Complete", "Cost", "Ended"].map((name) => `<th scope="col">${name}</th>`).join("")}</tr></thead><tbody></tbody></table></div>
  <p class="rtnb-counters"></p>
</div></details>
<div class="rtnb-lane"></div>`;

/** Show `page` in `el`. @param {{page: any, el: HTMLElement}} options @returns {() => void} */
export function view({ page, el }) {
  const abort = new AbortController();
  const root = document.createElement("section");
  const id = `rtnb-${++views}-${page.id.slice(0, 6)}`;
  root.className = "rtnb-panel";
  root.setAttribute("aria-label", "Voice session");
  root.dataset.panel = page.model.get("panel");
  ownKeys(root);
  root.innerHTML = skeleton(id);
  el.replaceChildren(root);
  const $ = (/** @type {string} */ selector) => /** @type {any} */ (root.querySelector(selector));
  const on = (/** @type {any} */ target, /** @type {string} */ name, /** @type {(event: any) => any} */ fn) =>
    (typeof target === "string" ? $(target) : target).addEventListener(name, fn, { signal: abort.signal });

  // Recording: mouse and touch hold, Space holds, a double click or Enter keeps it on.
  const record = $(".rtnb-record");
  const byHand = () => !page.detects;
  on(record, "pointerdown", (event) => {
    if (event.button) return;
    if (event.isTrusted) record.setPointerCapture(event.pointerId); // released outside the button is released too
    if (byHand()) page.press.down();
  });
  on(record, "pointerup", () => byHand() && page.press.up());
  on(record, "pointercancel", () => page.press.lost());
  on(record, "contextmenu", (event) => event.preventDefault());
  on(record, "click", (event) => {
    if (page.detects) page.listen(!page.isRecording);
    else if (!event.detail) page.press.toggle(); // no pointer did it: a screen reader
  });
  on(record, "keydown", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    if (event.repeat) return;
    if (page.detects) page.listen(!page.isRecording);
    else if (event.key === "Enter") page.press.toggle();
    else page.press.down();
  });
  on(record, "keyup", (event) => {
    if (event.key === " ") event.preventDefault(), byHand() && page.press.up();
  });
  on(record, "blur", () => page.press.lost());
  on(window, "blur", () => page.press.lost());

  on(".rtnb-connect", "click", () => (["idle", "closed", "failed"].includes(page.parts.connection?.state) ? page.connect() : page.ask("disconnect")));
  on(".rtnb-new", "click", () => page.renew());
  on(".rtnb-mute", "click", () => page.engine?.mute(!page.engine.muted));
  on(".rtnb-stop", "click", () => page.stop());
  on(root, "keydown", (event) => {
    if (event.key === "Escape") page.stop();
    event.stopPropagation();
  });
  root.querySelectorAll(".rtnb-vad input").forEach((radio) =>
    on(radio, "change", () => page.detect(/** @type {any} */ (radio).value ? { type: /** @type {any} */ (radio).value } : null)),
  );

  const text = $(".rtnb-ask textarea");
  const send = async () => {
    const typed = text.value.trim();
    if (!typed) return;
    text.value = "";
    page.engine?.start().then(() => page.engine.resume(), () => {});
    if (page.parts.settings?.when_busy !== "queue") page.engine?.silence();
    if (!(await page.ask("ask", { text: typed }))) text.value ||= typed;
  };
  on(text, "keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
  on(".rtnb-ask", "submit", (event) => (event.preventDefault(), send()));
  on(".rtnb-busy", "change", (event) => page.ask("option", { name: "when_busy", value: event.target.value }));

  on(".rtnb-kernel", "click", () => page.ask("source", { name: page.usesKernel ? "page" : "kernel" }));
  on(".rtnb-upload", "change", async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    event.target.value = "";
    if (file.size > 8_000_000) return page.say(`${file.name} has more than 8 MB. Put it beside the notebook, and call session.ask(rtnb.Audio.from_file(path)).`);
    page.ask("upload", { name: file.name }, [await file.arrayBuffer()]);
  });
  on(".rtnb-send-clip", "click", () => page.ask("clip", { name: $(".rtnb-clip").value }));
  on(".rtnb-say", "submit", (event) => (event.preventDefault(), page.ask("say", { text: $(".rtnb-say input").value })));

  root.querySelectorAll("[data-set]").forEach((field) =>
    on(field, "change", () => page.ask("set", { name: /** @type {any} */ (field).dataset.set, value: /** @type {any} */ (field).value })),
  );
  on(".rtnb-input", "change", (event) => page.engine?.pickDevice(event.target.value));
  on(".rtnb-output", "change", (event) => page.engine?.setOutput(event.target.value));
  on(".rtnb-volume", "input", (event) => page.engine?.setVolume(event.target.value / 100));
  on(".rtnb-greet", "change", (event) => page.ask("option", { name: "greet", value: event.target.checked }));
  on(".rtnb-half", "change", (event) => page.ask("option", { name: "half_duplex", value: event.target.checked }));
  on(".rtnb-parameters", "change", () => {
    const type = page.parts.talk?.detection?.type;
    const detection = /** @type {any} */ ({ ...page.parts.talk?.detection });
    for (const [name, , kind] of PARAMETERS[type] ?? []) {
      const field = $(`[data-parameter="${name}"]`);
      detection[name] = kind === "checkbox" ? field.checked : kind === "number" ? Number(field.value) : field.value;
    }
    page.ask("vad", { detection });
  });
  on(".rtnb-notices", "click", (event) => {
    const number = Number(event.target.dataset?.notice);
    if (number) page.ask("dismiss", { notice: number });
    else if (number === 0 && "notice" in event.target.dataset) page.say("");
  });

  const [user, model] = root.querySelectorAll("canvas");
  const waves = new Waves({ page, user: /** @type {any} */ (user), model: /** @type {any} */ (model) });
  const memory = {}; // what this view has drawn, to draw only what changed
  let frame = 0;
  const draw = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      sync({ page, root, $, memory });
      waves.wake();
    });
  };
  page.views.add(draw);
  sync({ page, root, $, memory });
  return () => {
    page.press.lost();
    abort.abort();
    cancelAnimationFrame(frame);
    page.views.delete(draw);
    waves.close();
    el.replaceChildren();
  };
}
