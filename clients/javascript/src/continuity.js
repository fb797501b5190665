/** One numbering and one audio clock over the connections and sessions of a stream. */

import { ProtocolViolation } from "./errors.js";

/** @import { Ended, Final, Interim } from "./events.js" */

export class Continuity {
  /** Index of the last final that was handed out. */
  lastIndex = 0;
  /** End of the last final, in seconds. */
  heard = 0;

  // What the present session's indexes and times lack.
  #indexOffset = 0;
  #timeOffset = 0;

  /** The last index as the present session counts. */
  get sessionIndex() {
    return this.lastIndex - this.#indexOffset;
  }

  /**
   * Returns a final in its place; null if it was handed out before. Throws if one is missing.
   * @param {Final} final
   * @returns {Final | null}
   */
  final(final) {
    const index = final.index + this.#indexOffset;
    if (index <= this.lastIndex) return null;
    if (index !== this.lastIndex + 1) {
      throw new ProtocolViolation(`final ${index} follows final ${this.lastIndex}`);
    }
    this.lastIndex = index;
    const words = final.words.map((word) => this.#later(word));
    const placed = { ...this.#later(final), index, words };
    this.heard = Math.max(this.heard, placed.end);
    return placed;
  }

  /**
   * Returns an interim in its place; null if a final covers it.
   * @param {Interim} interim
   * @returns {Interim | null}
   */
  interim(interim) {
    const placed = this.#later(interim);
    return placed.end > this.heard ? placed : null;
  }

  /**
   * Returns the end of the stream, with the seconds of all its sessions.
   * @param {Ended} ended
   * @returns {Ended}
   */
  ended(ended) {
    if (ended.duration === null) return ended;
    return { ...ended, duration: ended.duration + this.#timeOffset };
  }

  /**
   * Lets a new session begin at that time of the stream.
   * @param {number} seconds
   */
  startOver(seconds) {
    this.#indexOffset = this.lastIndex;
    this.#timeOffset = seconds;
  }

  /**
   * @template {{ start: number, end: number }} T
   * @param {T} timed
   * @returns {T}
   */
  #later(timed) {
    const offset = this.#timeOffset;
    return { ...timed, start: timed.start + offset, end: timed.end + offset };
  }
}
