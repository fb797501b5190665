/** Opens connections to one gateway address: the first one, and those that follow a break. */

import { Connection } from "./connection.js";
import { CannotConnect, ConnectionLost, ProtocolViolation, TokenFailed } from "./errors.js";
import { address } from "./options.js";
import { refusal } from "./refusal.js";
import { unlessAborted, within } from "./waiting.js";
import { parse } from "./wire.js";

/** @import { SocketClass } from "./connection.js" */
/** @import { Place, SpeechOptions } from "./options.js" */
/** @import { Opened } from "./wire.js" */

export class Dialer {
  /**
   * @param {string | URL} url Address of the gateway.
   * @param {SpeechOptions} options What is asked of each session.
   * @param {() => Promise<string | null>} key Returns the key or token to show.
   * @param {number} timeout Seconds for a connection to open.
   * @param {SocketClass} [Class]
   */
  constructor(url, options, key, timeout, Class) {
    this.url = url;
    this.options = options;
    this.key = key;
    this.timeout = timeout;
    this.Class = Class;
  }

  /**
   * Returns a connection and the first frame that it brought.
   * @param {Place | null} place The session to come back to; null asks for a new one.
   * @param {AbortSignal} signal Ends the try; the signal's reason is thrown.
   * @returns {Promise<{ connection: Connection, opened: Opened }>}
   */
  async open(place, signal) {
    const url = address(this.url, this.options, place);
    const key = await unlessAborted(this.#key(), signal);
    const connection = new Connection(url, key, this.Class);
    // A place is kept by a try that fails; a new session would only hold a slot.
    const leave = () => (place === null ? connection.close() : connection.abandon());
    signal.addEventListener("abort", leave);
    try {
      await this.#handshake(connection, url, key, signal);
      return { connection, opened: await this.#firstFrame(connection, signal) };
    } catch (error) {
      leave();
      throw error;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  async #key() {
    try {
      return await this.key();
    } catch (error) {
      throw new TokenFailed(error);
    }
  }

  /**
   * @param {Connection} connection
   * @param {string} url
   * @param {string | null} key
   * @param {AbortSignal} signal
   */
  async #handshake(connection, url, key, signal) {
    const open = await within(connection.opened, this.timeout, signal);
    if (open === true) return;
    if (open === null) {
      throw new CannotConnect(new URL(url).host, `no answer within ${this.timeout} s`);
    }
    throw await unlessAborted(refusal(url, key, connection.problem), signal);
  }

  /**
   * @param {Connection} connection
   * @param {AbortSignal} signal
   */
  async #firstFrame(connection, signal) {
    const arrived = await connection.next(this.timeout);
    signal.throwIfAborted();
    if (arrived === null) throw new ConnectionLost(1006, `no session within ${this.timeout} s`);
    if ("code" in arrived) throw new ConnectionLost(arrived.code, arrived.reason);
    const frame = parse(arrived.data);
    if (frame?.type === "session") return frame;
    throw new ProtocolViolation("it did not name the session first");
  }
}
