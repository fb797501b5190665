/** Which session a client has, and what takes it up again. */

/** @import { Place } from "./options.js" */
/** @import { Opened } from "./wire.js" */

export class Identity {
  session = "";
  clientId = 0;
  /** @type {string[]} Query parameters that the server does not know. */
  ignored = [];
  /** @type {number | null} How long the server waits for a client that comes back. */
  resumeSeconds = null;

  #token = "";
  /** @type {number | null} The server's last result, where it has said that it has fewer. */
  #recorded = null;

  /**
   * Takes the first frame of a connection.
   * @param {Opened} frame
   */
  take(frame) {
    this.session = frame.session;
    this.clientId = frame.clientId;
    this.ignored = frame.ignored;
    this.resumeSeconds = frame.resumeSeconds;
    // It is told once: a session that was taken up keeps the one it had.
    if (!frame.resumed) this.#token = frame.token;
    this.#recorded = null;
  }

  /**
   * Returns where to come back to; null if there is no token.
   * @param {number} index The last final that the client has.
   * @returns {Place | null}
   */
  place(index) {
    if (this.#token === "") return null;
    return { token: this.#token, index: Math.min(index, this.#recorded ?? index) };
  }

  /**
   * Records that the server has results up to that index only.
   * @param {number} index
   */
  recorded(index) {
    this.#recorded = index;
  }
}
