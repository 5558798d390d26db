// @ts-check
/**
 * AudioIO in the page: microphone and loudspeaker in one AudioContext at the device's rate.
 *
 * A notebook loads one plain ES module from a blob address, so `modules.py` joins these parts, each tested by itself:
 * `audio_dsp`, `audio_play`, `audio_wire` (pure), `audio_worklet` (the audio thread, which gets the first two as text),
 * `audio_link` (lanes), `audio_engine` (made in `initialize`, owns all sound), `audio_view` (made in `render`).
 */

import { Engine } from "./audio_engine.js";
import { view } from "./audio_view.js";

export default () => {
  /** @type {Engine} */
  let engine;
  return {
    initialize(/** @type {{model: any, signal: AbortSignal}} */ { model, signal }) {
      engine = new Engine(model, signal ?? new AbortController().signal);
      // Other widgets of this page (the panel) draw and steer the same sound.
      const engines = (/** @type {any} */ (globalThis).rtnbEngines ??= new Map());
      const id = model.get("_address")?.link;
      engines.set(id, engine);
      document.dispatchEvent(new CustomEvent("rtnb-engine", { detail: id }));
      return () => {
        engine.close();
        if (engines.get(id) === engine) engines.delete(id);
      };
    },
    render(/** @type {{el: HTMLElement}} */ { el }) {
      return view({ engine, el });
    },
  };
};
