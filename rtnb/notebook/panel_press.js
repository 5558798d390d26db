// @ts-check
/**
 * The Record button as a machine of four states, whatever it is pressed with.
 *
 *   idle --down--> held --up--> idle                     hold to talk
 *                  held --up soon--> pending --down--> latching --up--> latched   double click: it stays on
 *                                    pending --time--> idle, thrown away when it was only touched
 *   latched --down--> ending --up--> idle
 */

export const TAP_MS = 200; // a press that is shorter may be the first half of a double click
export const PAIR_MS = 300; // within which its second half comes
export const LEAST_MS = 100; // less is no speech: the service refuses such a turn

export class Press {
  /**
   * @param {{start: () => void, end: () => void, discard: () => void, changed?: () => void}} does
   * @param {{now?: () => number, later?: (fn: () => void, ms: number) => any, forget?: (timer: any) => void}} [clock]
   */
  constructor(does, clock = {}) {
    this.does = does;
    this.now = clock.now ?? (() => performance.now());
    this.later = clock.later ?? ((fn, ms) => setTimeout(fn, ms));
    this.forget = clock.forget ?? ((timer) => clearTimeout(timer));
    this.state = "idle"; // idle, held, pending, latching, latched, ending
    this.since = 0;
    this.timer = /** @type {any} */ (null);
  }

  get isOn() {
    return this.state !== "idle" && this.state !== "ending";
  }

  /** @param {string} state */
  go(state) {
    this.forget(this.timer);
    this.state = state;
    this.does.changed?.();
  }

  down() {
    if (this.state === "idle") {
      this.since = this.now();
      this.go("held");
      this.does.start();
    } else if (this.state === "pending") this.go("latching");
    else if (this.state === "latched") {
      this.go("ending");
      this.does.end();
    }
  }

  up() {
    if (this.state === "latching") return this.go("latched");
    if (this.state === "ending") return this.go("idle");
    if (this.state !== "held") return;
    const held = this.now() - this.since;
    if (held >= TAP_MS) return this.finish(held);
    this.go("pending");
    this.timer = this.later(() => this.state === "pending" && this.finish(held), PAIR_MS);
  }

  /** @param {number} held */
  finish(held) {
    this.go("idle");
    if (held < LEAST_MS) this.does.discard();
    else this.does.end();
  }

  /** One key, or a screen reader's click: on, and off again. */
  toggle() {
    if (this.state === "idle") {
      this.since = this.now();
      this.go("latched");
      this.does.start();
    } else if (this.isOn) {
      this.go("idle");
      this.does.end();
    }
  }

  /** The finger or the focus went away: what is held is released, what is latched stays. */
  lost() {
    if (this.state === "held") this.finish(this.now() - this.since);
    else if (this.state === "latching") this.go("latched");
    else if (this.state === "ending") this.go("idle");
  }

  /** Somebody else ended the recording. */
  reset() {
    if (this.state !== "idle") this.go("idle");
  }
}
