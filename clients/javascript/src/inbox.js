/**
 * Events on their way from the socket to whoever iterates over the session.
 *
 * It is bounded: an interim is replaced by whatever comes after it, since it is then out of date.
 * Finals are never dropped, so too many unread ones are an error.
 */

import { ResultsUnread } from "./errors.js";

/** @import { SessionEvent } from "./events.js" */

/** Events that may wait; hours of speech. */
const CAPACITY = 65_536;

export class Inbox {
  /** Whether nothing more will be put in. */
  over = false;
  /** @type {unknown} What ended it, if it was an error. */
  error = null;

  /** @type {SessionEvent[]} */
  #events = [];
  /** @type {Array<() => void>} */
  #waiting = [];
  #capacity;

  /** @param {number} capacity */
  constructor(capacity = CAPACITY) {
    this.#capacity = capacity;
  }

  /**
   * Adds an event; throws if too many wait.
   * @param {SessionEvent} event
   */
  put(event) {
    if (this.#events.at(-1)?.type === "interim") this.#events.pop();
    if (this.#events.length >= this.#capacity) throw new ResultsUnread(this.#events.length);
    this.#events.push(event);
    this.#wake();
  }

  /**
   * Records that nothing follows; only the first call counts.
   * @param {unknown} error
   */
  close(error = null) {
    if (this.over) return;
    this.over = true;
    this.error = error;
    this.#wake();
  }

  /**
   * Returns the next event, null after the last. After the last event before an error it throws.
   * @returns {Promise<SessionEvent | null>}
   */
  async get() {
    while (this.#events.length === 0 && !this.over) {
      await new Promise((/** @type {(_: void) => void} */ resolve) => this.#waiting.push(resolve));
    }
    const event = this.#events.shift();
    if (event !== undefined) return event;
    if (this.error !== null) throw this.error;
    return null;
  }

  #wake() {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
