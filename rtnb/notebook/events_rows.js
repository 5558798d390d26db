// @ts-check
/**
 * The rows of the table of events as the kernel tells them: held in order, told in words, and which of them a person wants
 * to see. No page is needed; see events.py.
 */

import { duration, size } from "./views.js";

/** The rows of a page, by id, in order; bounded. */
export class Rows {
  constructor() {
    /** @type {any[]} */
    this.list = [];
    /** @type {string[]} */
    this.names = [];
    this.totals = [[0, 0, 0], [0, 0, 0]];
    this.left = 0; // rows that were left out because there are too many
    this.version = 0; // changes when rows were added before others, or left out
  }

  /** @returns {boolean} whether rows were only added at the end or changed in place */
  take({ first, names, rows, totals, most }) {
    names.forEach((name, i) => (this.names[first + i] = name));
    this.totals = totals;
    let isPlain = true;
    for (const [id, time, side, name, count, ms, bytes, trouble, words] of rows) {
      const row = { id, time, side, name: this.names[name] ?? "", count, ms, bytes, trouble: !!trouble, words };
      const last = this.list.at(-1);
      if (!last || last.id < id) {
        this.list.push(row);
        continue;
      }
      const at = this.place(id);
      if (this.list[at].id === id) this.list[at] = row;
      else {
        this.list.splice(at, 0, row);
        isPlain = false;
      }
    }
    if (this.list.length > most + 500) {
      this.list.splice(0, this.list.length - most);
      isPlain = false;
    }
    this.left = this.list.length ? this.list[0].id : 0;
    if (!isPlain) this.version++;
    return isPlain;
  }

  /** Where a row of that id is, or would be. @param {number} id */
  place(id) {
    let [low, high] = [0, this.list.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.list[middle].id < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  get(id) {
    const row = this.list[this.place(id)];
    return row?.id === id ? row : undefined;
  }
}

/** What a row tells besides its name. @param {any} row */
export function facts(row) {
  const parts = [];
  if (row.count > 1) parts.push(`×${row.count.toLocaleString("en")}`);
  if (row.bytes) parts.push(`${duration(row.ms)} audio`, size(row.bytes));
  return parts.join(" · ");
}

/** One side's counters in words. @param {number[]} total */
export function counted([count, bytes, ms]) {
  return `${count.toLocaleString("en")} event${count === 1 ? "" : "s"}${bytes ? `, ${duration(ms)} audio, ${size(bytes)}` : ""}`;
}

/** A test for event names from what a person types; the same as rtnb.core.folding.type_filter. @param {string} text */
export function typeFilter(text) {
  const glob = (word) => {
    const wide = /[*?]/.test(word) ? word : `*${word}*`;
    return new RegExp(`^${wide.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*").replace(/\?/g, ".")}$`);
  };
  const words = text.replaceAll(",", " ").toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = words.filter((word) => !"-!".includes(word[0])).map(glob);
  const unwanted = words.filter((word) => "-!".includes(word[0]) && word.length > 1).map((word) => glob(word.slice(1)));
  return (name) => {
    const lower = name.toLowerCase();
    if (unwanted.some((each) => each.test(lower))) return false;
    return !wanted.length || wanted.some((each) => each.test(lower));
  };
}

/** Which rows a person wants to see. */
export function keeps({ side, types, text, found }) {
  const fits = typeFilter(types);
  const wanted = text.toLowerCase();
  return (row) => {
    if (side === "errors" ? !row.trouble : side !== "both" && row.side !== (side === "received" ? 1 : 0)) return false;
    if (!fits(row.name)) return false;
    if (!wanted) return true;
    return row.name.toLowerCase().includes(wanted) || row.words.toLowerCase().includes(wanted) || found.has(row.id);
  };
}
