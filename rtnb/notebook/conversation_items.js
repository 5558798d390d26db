// @ts-check
/** The rows of a conversation as the kernel tells them, in their order. Pure, and imports nothing; see conversation.py. */

/** The rows of a page, in the order of the conversation. */
export class Items {
  constructor() {
    /** @type {Map<string, any>} */
    this.rows = new Map();
    /** @type {string[]} */
    this.order = [];
    this.canDelete = false;
  }

  /**
   * Take a message; tell which rows are new or different, and whether something is missing that a hello would bring.
   * @returns {{changed: Set<string>, gone: string[], isLost: boolean}}
   */
  take({ rows, gone, reset, can_delete }) {
    const changed = new Set();
    let isLost = false;
    this.canDelete = can_delete;
    const left = [...gone];
    if (reset) {
      const kept = new Set(rows.map(({ id }) => id));
      // Rows of later messages of the same answer come again; those that do not are gone.
      left.push(...this.order.filter((id) => !kept.has(id)));
    }
    for (const id of left) {
      this.rows.delete(id);
      const at = this.order.indexOf(id);
      if (at >= 0) this.order.splice(at, 1);
    }
    for (const { full, add, ...members } of rows) {
      const { id } = members;
      const known = this.rows.get(id);
      if (!known && !full) {
        isLost = true;
        continue;
      }
      const row = full ? members : { ...known, ...members };
      if (add !== undefined) row.text = (known.text ?? "") + add;
      this.rows.set(id, row);
      changed.add(id);
      if (!known || known.after !== row.after) this.put(id, row.after);
    }
    return { changed, gone: left, isLost };
  }

  /** Put a row behind another one; without one in front. What is behind something unknown goes to the end. */
  put(id, after) {
    const last = this.order.length - 1;
    if (after && this.order[last] === after) {
      if (this.order[last] !== id) this.drop(id);
      this.order.push(id);
      return;
    }
    this.drop(id);
    const at = after ? this.order.lastIndexOf(after) : -1;
    if (after && at < 0) this.order.push(id);
    else this.order.splice(at + 1, 0, id);
  }

  drop(id) {
    const at = this.order.lastIndexOf(id);
    if (at >= 0) this.order.splice(at, 1);
  }

  /** The turns with sound from a row on, that row included. */
  from(id) {
    return this.order.slice(this.order.indexOf(id)).filter((each) => this.rows.get(each).ms > 0);
  }
}
