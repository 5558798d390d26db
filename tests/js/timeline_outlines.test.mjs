// The outlines of a timeline's sound, run by `node --test tests/js/`.
import test from "node:test";
import assert from "node:assert/strict";
import { NONE, decoded, outlines, wavePath } from "../../rtnb/notebook/timeline_outlines.js";

const packed = (...values) => Buffer.from(Int8Array.from(values).buffer).toString("base64");

test("bytes come back with their signs", () => {
  assert.deepEqual([...decoded(packed(-128, -1, 0, 127))], [-128, -1, 0, 127]);
});

test("an outline is drawn where there is sound, and only there", () => {
  const raw = { start: 0, end: 4, lanes: { you: [packed(-127, 0, NONE, -64), packed(127, 0, NONE, 64)] } };
  const { lanes, start, end } = outlines(raw);
  const path = wavePath(lanes.you, { start, end }, { start: 0, end: 4 }, 400, 40);
  assert.equal(path.match(/M/g).length, 2);
  const xs = [...path.matchAll(/[ML](-?[\d.]+) /g)].map((found) => Number(found[1]));
  assert.deepEqual([Math.min(...xs), Math.max(...xs)], [0, 400]);
  assert.ok(!xs.some((x) => x > 200 && x < 300));
  const ys = [...path.matchAll(/[ML]-?[\d.]+ (-?[\d.]+)/g)].map((found) => Number(found[1]));
  assert.ok(Math.min(...ys) >= 0 && Math.max(...ys) <= 40.1);
  assert.equal(wavePath(lanes.you, { start, end }, { start: 2, end: 3 }, 400, 40), "");
});
