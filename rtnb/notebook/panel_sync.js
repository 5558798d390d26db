// @ts-check
/** From the state of a page to the elements of a view: every line here only draws. */

import { STATES, activity } from "./panel_page.js";

const WHO = /** @type {Record<string, string>} */ ({ user: "You", assistant: "Model", tool: "Tool" });
const CAPTION = /** @type {Record<string, string>} */ ({
  awaiting: "(being written down…)",
  failed: "(could not be written down)",
  sound: "(speech)",
});

/** The parameters of turn detection that can be set: name, words, kind, range. */
export const PARAMETERS = /** @type {Record<string, [string, string, string, any?][]>} */ ({
  server_vad: [
    ["threshold", "Threshold (0 to 1)", "number", { min: 0, max: 1, step: 0.05, usual: 0.5 }],
    ["silence_duration_ms", "Silence that ends it, ms", "number", { min: 0, max: 10000, step: 50, usual: 500 }],
    ["prefix_padding_ms", "Kept before speech, ms", "number", { min: 0, max: 5000, step: 50, usual: 300 }],
    ["create_response", "answers by itself", "checkbox", { usual: true }],
    ["interrupt_response", "stops when you speak", "checkbox", { usual: true }],
  ],
  semantic_vad: [
    ["eagerness", "Eagerness", "select", { choices: ["auto", "low", "medium", "high"], usual: "auto" }],
    ["create_response", "answers by itself", "checkbox", { usual: true }],
    ["interrupt_response", "stops when you speak", "checkbox", { usual: true }],
  ],
});

/** Set what differs; text that is written again would be read aloud again. @param {any} element @param {Record<string, any>} values */
export function put(element, values) {
  for (const [name, value] of Object.entries(values)) {
    if (name.startsWith("aria-") || name.startsWith("data-")) {
      if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
    } else if (element[name] !== value) element[name] = value;
  }
}

/** The text of a caption: what was heard, and what was not (yet). @param {any} row @returns {[string, string, string]} heard, unheard, remark */
export function caption({ text, state, heard }) {
  const remark = text ? (state === "interrupted" ? "(interrupted)" : "") : CAPTION[state] ?? "…";
  return heard === undefined ? [text, "", remark] : [text.slice(0, heard), text.slice(heard), remark];
}

/** @param {number | null | undefined} ms @returns {string} */
export function shown(ms) {
  return ms === null || ms === undefined ? "–" : ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** A notice in words. @param {any} told @returns {string} */
export function words({ text, times = 1 }) {
  return times > 1 ? `${text} (${times} times)` : text;
}

/** What the big button says. @param {any} page @returns {[string, string]} its text, and how it is used */
export function recordWords(page) {
  const { press, engine, isRecording, detects } = page;
  if (!page.usesKernel && engine?.microphone === "opening") return ["◌ Opening…", "The browser may ask you for permission."];
  if (detects)
    return isRecording
      ? ["■ Listening", "Just speak: the server hears when you have finished. Press to close the microphone."]
      : ["● Listen", "Press to open the microphone; then just speak."];
  if (press.state === "latched" || press.state === "latching") return ["■ Recording", "Press again to send."];
  if (press.isOn || isRecording) return ["■ Recording", "Release to send."];
  return ["● Hold to talk", "Hold with mouse, finger or Space. A double click, or Enter, keeps it on."];
}

/** @param {any} select @param {[string, string][]} choices @param {string} value */
function choose(select, choices, value) {
  const key = JSON.stringify(choices);
  if (select.dataset.choices !== key) {
    select.replaceChildren(...choices.map(([id, label]) => new Option(label, id)));
    select.dataset.choices = key;
  }
  if (document.activeElement !== select || select.value === "") put(select, { value });
}

/** @param {{page: any, root: HTMLElement, $: (selector: string) => any, memory: any}} view */
export function sync({ page, root, $, memory }) {
  const { parts, engine, dead } = page;
  const { connection = { state: "waiting" }, talk = {}, settings = {}, counters = {}, notices = [] } = parts;
  const waiting = connection.state === "waiting";
  root.classList.toggle("rtnb-dead", !!dead);
  put(root, { "data-state": dead ? "dead" : connection.state });

  const [shape, word] = dead ? ["✕", "Ended"] : STATES[connection.state] ?? ["◌", "Waiting for the kernel…"];
  put($(".rtnb-shape"), { textContent: shape });
  put($(".rtnb-word"), { textContent: word });
  put($(".rtnb-doing"), { textContent: dead ? "" : activity(connection, talk) });
  put($(".rtnb-where"), { textContent: [(connection.endpoint ?? "").split(/ \(|, /)[0], connection.model].filter(Boolean).join(" · "), title: connection.endpoint ?? "" });
  const off = ["idle", "closed", "failed"].includes(connection.state);
  put($(".rtnb-connect"), { textContent: off || waiting ? "Connect" : connection.state === "ready" ? "Disconnect" : "Cancel", disabled: !!dead || waiting });
  put($(".rtnb-new"), { disabled: !!dead || connection.state !== "ready" });
  const lost = page.offline ? "The page has lost the Jupyter server, and looks for it." : "";
  put($(".rtnb-why"), { textContent: dead || lost || connection.why || "" });

  const errors = notices.filter((/** @type {any} */ each) => each.level === "error" && each.text !== connection.why);
  const hints = notices.filter((/** @type {any} */ each) => each.level !== "error");
  const blocked = engine?.sound === "blocked" ? "The browser plays sound only after a click or a key in this page." : "";
  const refused = page.refusal || (engine?.sound === "failed" || engine?.error ? engine.error : "");
  const own = [page.note, refused, blocked].filter(Boolean);
  const told = JSON.stringify([errors, hints, own, dead]);
  if (memory.told !== told) {
    memory.told = told;
    const row = (/** @type {string} */ text, /** @type {number | null} */ number) => {
      const line = document.createElement("p");
      line.textContent = text;
      if (number !== null && !dead) {
        const button = Object.assign(document.createElement("button"), { type: "button", textContent: "×", title: "Dismiss" });
        button.setAttribute("aria-label", "Dismiss");
        button.dataset.notice = String(number);
        line.append(button);
      }
      return line;
    };
    $(".rtnb-errors").replaceChildren(...errors.map((/** @type {any} */ each) => row(words(each), each.number)));
    $(".rtnb-hints").replaceChildren(
      ...hints.map((/** @type {any} */ each) => row(words(each), each.number)),
      ...own.map((text) => row(text, text === page.note ? 0 : null)),
    );
  }

  // talking
  const [label, how] = recordWords(page);
  const record = $(".rtnb-record");
  const on = page.isRecording || page.press.isOn;
  put(record, { textContent: label, "aria-pressed": on, disabled: !!dead || waiting });
  put($(".rtnb-how"), { textContent: dead ? "" : how });
  const elsewhere = page.usesKernel ? "The kernel's devices are in use; this is for those of the page." : "";
  $(".rtnb-waves").hidden = page.usesKernel; // drawn from the sound of the page, which has none then
  put($(".rtnb-mute"), { title: elsewhere, textContent: engine?.muted ? "Muted" : "Mute", "aria-pressed": !!engine?.muted, disabled: !!dead || !engine || page.usesKernel });
  put($(".rtnb-stop"), { disabled: !!dead || !(connection.playing || engine?.sounding || (connection.activity && connection.activity !== "idle")) });
  const detection = talk.detection?.type ?? "";
  const settled = !page.changes; // else what the user has just chosen would jump back until the kernel answers
  for (const radio of root.querySelectorAll(".rtnb-vad input")) {
    if (settled) put(radio, { checked: /** @type {any} */ (radio).value === detection });
    put(radio, { disabled: !!dead || waiting || !!settings.detection_locked });
  }
  parameters({ $, memory, talk, settled, locked: !!dead || !!settings.detection_locked });

  captions($(".rtnb-captions"), parts.captions ?? []);

  put($(".rtnb-ask textarea"), { disabled: !!dead });
  put($(".rtnb-send"), { disabled: !!dead || waiting });
  if (settings.when_busy && settled) put($(".rtnb-busy"), { value: settings.when_busy });
  put($(".rtnb-busy"), { disabled: !!dead });

  // without a microphone
  const why = page.refusal;
  const ways = /** @type {{name: string, works: boolean, reason: string}[]} */ (settings.ways ?? []);
  const best = ways.find(({ works }) => works);
  const instead = best ? ` Best here instead: ${best.name} (${best.reason}).` : "";
  put($(".rtnb-reason"), { textContent: why ? `${why}${instead}` : "Nothing speaks against the microphone here. These work as well:" });
  for (const [selector, name] of [[".rtnb-kernel", "kernel microphone"], [".rtnb-file", "upload"], [".rtnb-clips", "clip"], [".rtnb-say", "spoken text"]])
    put($(selector), { title: ways.find((way) => way.name === name)?.reason ?? "" });
  if (why && !memory.opened) memory.opened = $(".rtnb-without").open = true;
  put($(".rtnb-kernel"), { "aria-pressed": page.usesKernel, textContent: page.usesKernel ? "Kernel's microphone: in use" : "Use the kernel's microphone", disabled: !!dead });
  choose($(".rtnb-clip"), (settings.clips ?? []).map((/** @type {string} */ name) => [name, name]), $(".rtnb-clip").value || settings.clips?.[0] || "");
  $(".rtnb-clips").hidden = !settings.clips?.length;
  for (const field of root.querySelectorAll(".rtnb-without :is(input, select, .rtnb-send-clip, form button)")) put(field, { disabled: !!dead });

  fields({ page, root, $, settings, dead, waiting, settled, elsewhere });
  account({ $, memory, account: parts.account, counters, root });
  const slow = page.lane === "comm" && !dead;
  put($(".rtnb-lane"), { textContent: slow ? "This front end gives the panel no way past a running cell: what you press waits until the cell has ended." : "" });
}

function captions(/** @type {HTMLElement} */ box, /** @type {any[]} */ rows) {
  const known = new Map([...box.children].map((line) => [/** @type {any} */ (line).dataset.id, line]));
  const kept = new Set(rows.map(({ id }) => id));
  for (const [id, line] of known) if (!kept.has(id)) line.remove();
  let grows = false;
  for (const row of rows) {
    let line = /** @type {any} */ (known.get(row.id));
    if (!line) {
      line = document.createElement("p");
      line.dataset.id = row.id;
      line.innerHTML = '<b></b> <span></span><span class="rtnb-unheard"></span> <small></small>';
      box.append(line);
    }
    const [heard, unheard, remark] = caption(row);
    const [who, first, rest, small] = line.children;
    line.className = `rtnb-${row.who}`;
    put(who, { textContent: WHO[row.who] ?? row.who });
    put(first, { textContent: heard });
    put(rest, { textContent: unheard, title: unheard && row.state === "interrupted" ? "not heard" : "" });
    put(small, { textContent: remark });
    grows ||= row.state === "growing";
  }
  // A screen reader reads a growing answer once it is whole, not piece by piece.
  put(box, { "aria-busy": grows });
  if (grows) box.scrollTop = box.scrollHeight;
}

function parameters(/** @type {any} */ { $, memory, talk, settled, locked }) {
  const box = $(".rtnb-parameters");
  const type = talk.detection?.type ?? "";
  box.hidden = !PARAMETERS[type];
  if (memory.detection !== type) {
    memory.detection = type;
    box.querySelector(".rtnb-grid").innerHTML = (PARAMETERS[type] ?? [])
      .map(([name, words, kind, { choices = [], min, max, step } = {}]) =>
        kind === "select"
          ? `<label>${words} <select data-parameter="${name}">${choices.map((/** @type {string} */ each) => `<option>${each}</option>`).join("")}</select></label>`
          : kind === "number"
            ? `<label>${words} <input type="number" data-parameter="${name}" min="${min}" max="${max}" step="${step}"></label>`
            : `<label><input type="checkbox" data-parameter="${name}"> ${words}</label>`,
      )
      .join("");
  }
  for (const [name, , kind, { usual } = /** @type {any} */ ({})] of PARAMETERS[type] ?? []) {
    const field = box.querySelector(`[data-parameter="${name}"]`);
    const value = talk.detection[name] ?? usual;
    if (settled && document.activeElement !== field) put(field, kind === "checkbox" ? { checked: value } : { value: String(value) });
    put(field, { disabled: locked });
  }
}

function fields(/** @type {any} */ { page, root, $, settings, dead, waiting, settled, elsewhere }) {
  const { engine } = page;
  for (const field of root.querySelectorAll("[data-set]")) {
    const { value = "", choices, locked = "" } = settings[field.dataset.set] ?? {};
    if (choices && settled) choose(field, choices.map((/** @type {string} */ each) => [each, each]), value);
    else if (!choices && settled && document.activeElement !== field) put(field, { value });
    put(field, { disabled: !!dead || waiting || !!locked });
    const reason = field.parentElement.querySelector("small");
    put(reason, { textContent: locked });
  }
  const inputs = (engine?.devices ?? []).filter((/** @type {any} */ each) => each.id !== "default");
  choose($(".rtnb-input"), [["", "the system's own"], ...inputs.map((/** @type {any} */ { id, label }) => [id, label])], engine?.model.get("device") ?? "");
  const picks = typeof AudioContext !== "undefined" && "setSinkId" in AudioContext.prototype;
  choose($(".rtnb-output"), [["", picks ? "the system's own" : "the system's own (this browser offers no choice)"], ...(picks ? engine?.outputs ?? [] : []).map((/** @type {any} */ { id, label }) => [id, label])], engine?.output ?? "");
  put($(".rtnb-input"), { title: elsewhere, disabled: !!dead || !engine || page.usesKernel });
  put($(".rtnb-output"), { title: elsewhere, disabled: !!dead || !engine || !picks || page.usesKernel });
  const volume = $(".rtnb-volume");
  if (document.activeElement !== volume) put(volume, { value: String(Math.round(100 * (engine?.volume ?? 1))) });
  put(volume, { title: elsewhere, disabled: !!dead || !engine || page.usesKernel });
  if (settled) put($(".rtnb-greet"), { checked: !!settings.greet });
  if (settled) put($(".rtnb-half"), { checked: !!page.parts.talk?.half_duplex });
  put($(".rtnb-greet"), { disabled: !!dead });
  put($(".rtnb-half"), { disabled: !!dead });
}

function account(/** @type {any} */ { $, memory, account, counters, root }) {
  const key = JSON.stringify([account, counters]);
  if (!account || memory.account === key) return;
  memory.account = key;
  const { latency, turns, budget } = account;
  const fast = latency ? ` · first answer ${shown(latency.p50)}` : "";
  put($(".rtnb-sum"), { textContent: account.answers ? `${account.short}${account.free ? " (free here)" : ""}${fast}` : "" });
  put($(".rtnb-total"), { textContent: `${account.cost}; ${account.tokens} tokens in ${account.answers} answers${latency ? `; first answer after ${shown(latency.p50)} in the middle, ${shown(latency.p95)} for the slowest of twenty` : ""}.` });
  const bar = $(".rtnb-budget");
  bar.hidden = !budget;
  if (budget) {
    bar.innerHTML = '<label>Budget <meter min="0" max="1" low="0.8" high="0.99" optimum="0"></meter> <span></span></label>';
    put(bar.querySelector("meter"), { value: budget.part });
    put(bar.querySelector("span"), { textContent: `${budget.spent} of ${budget.limit}${budget.is_spent ? ", spent" : ""}` });
  }
  const body = root.querySelector("tbody");
  body.replaceChildren(
    ...turns.map((/** @type {any} */ turn) => {
      const line = document.createElement("tr");
      for (const value of [turn.number, turn.kind, shown(turn.first), shown(turn.heard), shown(turn.done), turn.cost || "–", turn.status]) line.insertCell().textContent = String(value);
      return line;
    }),
  );
  const { sent = 0, received = 0, errors = 0, audio_sent_s = 0, audio_received_s = 0, dropped = 0 } = counters;
  put($(".rtnb-counters"), {
    textContent: `Events: ${sent} sent, ${received} received, ${errors} errors. Sound: ${audio_sent_s} s sent, ${audio_received_s} s received, ${dropped} frames lost.`,
  });
}
