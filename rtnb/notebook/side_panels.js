// @ts-check
// What tools remember, and where their weather is; see side_panels.py.
import { ownKeys } from "./keys.js";
import { h, say, Wire, framed } from "./views.js";

const SVG = "http://www.w3.org/2000/svg";

/** West, south, width and height of the part of the world that shows all places with room around them, 2:1. */
export function windowOf(places) {
  if (!places.length) return [-180, -90, 360, 180];
  const x = places.map((place) => place.longitude);
  const y = places.map((place) => place.latitude);
  const height = Math.min(180, Math.max(Math.max(...y) - Math.min(...y) + 20, (Math.max(...x) - Math.min(...x) + 40) / 2, 40));
  const south = Math.min(Math.max((Math.max(...y) + Math.min(...y)) / 2 - height / 2, -90), 90 - height);
  const west = Math.min(Math.max((Math.max(...x) + Math.min(...x)) / 2 - height, -180), 180 - 2 * height);
  return [west, south, 2 * height, height];
}

/** What is said of a place. */
export function weatherWords(place) {
  const wind = place.wind_speed || place.wind_speed === 0 ? `, wind ${place.wind_speed} ${place.wind_speed_unit}` : "";
  return `${place.location}: ${place.temperature} ${place.temperature_unit}, ${place.weather}${wind}`;
}

function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

function map(places, land) {
  const [west, south, width, height] = windowOf(places);
  const north = south + height;
  const unit = width / 360;
  const d = land.map((ring) => `M${ring.map(([x, y]) => `${x} ${-y}`).join("L")}Z`).join("");
  const picture = svg("svg", { viewBox: `${west} ${-north} ${width} ${height}`, role: "img", "aria-label": places.length ? `Map: ${places.map(weatherWords).join("; ")}` : "Map of the world", class: "rv-map" },
    svg("path", { d, class: "rv-land", "stroke-width": 0.5 * unit }));
  for (const place of places) {
    picture.append(svg("circle", { cx: place.longitude, cy: -place.latitude, r: 3.4 * unit, class: "rv-spot", "stroke-width": 1.2 * unit }));
    const isLeft = place.longitude > west + width / 2;
    picture.append(svg("text", { x: place.longitude + (isLeft ? -6 : 6) * unit, y: -place.latitude + 4 * unit, "font-size": 11 * unit, "text-anchor": isLeft ? "end" : "start", class: "rv-label", "stroke-width": 3 * unit }, `${place.location} ${place.temperature} ${place.temperature_unit}`));
  }
  return picture;
}

export function sidePanels(state, wire, el) {
  const memory = h("section", { class: "rv-side rv-memory", "aria-label": "Memory", hidden: true });
  const weather = h("section", { class: "rv-side rv-weather", "aria-label": "Weather map", hidden: true });
  const status = h("div", { class: "rv-state", role: "status", hidden: true });
  const root = h("div", { class: "rtnb-view rtnb-side-panels" }, status, memory, weather);
  ownKeys(root);
  el.append(root);
  let drawn = {};
  const draw = framed(() => {
    root.hidden = !state.memory && !state.weather;
    const words = wire.words;
    status.hidden = !words;
    say(status, words);
    memory.hidden = !state.memory;
    if (state.memory && drawn.memory !== state.memory) {
      const { rows, problem } = state.memory;
      memory.replaceChildren(h("div", { class: "rv-bar" }, h("span", { class: "rv-title" }, "Memory"), h("span", { class: "rv-dim" }, `${rows.length} remembered`)),
        ...(problem ? [h("div", { class: "rv-state" }, problem)] : []),
        rows.length
          ? h("div", { class: "rv-scroll", tabindex: "0", role: "group", "aria-label": "What is remembered" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "key"), h("th", { scope: "col" }, "value"))),
            h("tbody", {}, ...rows.map(([key, value]) => h("tr", {}, h("th", { scope: "row" }, key), h("td", {}, value))))))
          : h("p", { class: "rv-dim rv-nothing" }, "Nothing remembered yet. Tell the model something about yourself."));
    }
    weather.hidden = !state.weather;
    if (state.weather && state.land && drawn.weather !== state.weather) {
      const hadFocus = weather.contains(document.activeElement);
      const tiles = h("button", { type: "button", onclick: () => wire.tell({ kind: "tiles" }) }, "Map with tiles");
      weather.replaceChildren(h("div", { class: "rv-bar" }, h("span", { class: "rv-title" }, "Weather"), h("span", { class: "rv-dim rv-grow" }, state.weather.length ? "" : "No place yet. Ask for the weather somewhere."), state.has_tiles && state.weather.length ? tiles : null),
        map(state.weather, state.land),
        h("ul", { class: "rv-places" }, ...state.weather.map((place) => h("li", {}, weatherWords(place), place.source ? h("span", { class: "rv-dim" }, ` (${place.source})`) : null))));
      if (!state.weather.length) weather.lastChild.remove();
      if (hadFocus && tiles.isConnected) tiles.focus();
    }
    drawn = { ...state };
  });
  wire.watchers.add(draw);
  draw();
  return {
    draw,
    close() {
      draw.cancel();
      wire.watchers.delete(draw);
      root.remove();
    },
  };
}

export default () => {
  const state = { memory: null, weather: null, land: null, has_tiles: false };
  const shown = new Set();
  let wire;
  return {
    initialize({ model }) {
      wire = new Wire(model, ({ kind, memory, weather, land, has_tiles }) => {
        if (kind !== "panels") return;
        Object.assign(state, { memory, weather, has_tiles, land: land ?? state.land });
        for (const each of shown) each.draw();
      });
      return () => wire.close();
    },
    render({ el }) {
      const view = sidePanels(state, wire, el);
      shown.add(view);
      return () => {
        shown.delete(view);
        view.close();
      };
    },
  };
};
