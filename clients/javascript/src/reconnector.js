/** Brings a session back onto a connection after the last one broke. */

import { DEFAULT_WINDOW, mayPass, Outage } from "./backoff.js";
import { ConnectionLost, ReconnectFailed, Refused, ServerSilent } from "./errors.js";
import { sleep } from "./waiting.js";

/** @import { Backoff } from "./backoff.js" */
/** @import { Dialer } from "./dialer.js" */
/** @import { Reconnecting } from "./events.js" */
/** @import { Protocol } from "./protocol.js" */

const RESTARTING = 1012;

export class Reconnector {
  #dialer;
  #protocol;
  #patience;
  #backoff;
  /** @type {Outage | null} */
  #outage = null;
  /** How far the session was when the server was last silent for too long. */
  #silentAt = "";

  /**
   * @param {Dialer} dialer
   * @param {Protocol} protocol
   * @param {number | null} patience Seconds to try after a break; null: as long as the server
   *   waits; 0: not at all.
   * @param {Backoff} backoff
   */
  constructor(dialer, protocol, patience, backoff) {
    this.#dialer = dialer;
    this.#protocol = protocol;
    this.#patience = patience;
    this.#backoff = backoff;
  }

  /**
   * Returns true if a new connection may go on where this error ended the last one.
   * @param {unknown} error
   */
  canHelp(error) {
    if (this.#patience === 0) return false;
    if (error instanceof ServerSilent) {
      // A browser sends no pings, so silence may be a dead connection. It is so only once.
      const { progress } = this.#protocol;
      const again = this.#silentAt === progress;
      this.#silentAt = progress;
      return !again;
    }
    return this.#protocol.lapsed !== "" || mayPass(error);
  }

  /**
   * Returns a connection for which all that is left is in line, and how it came.
   * @param {Error} error How the last connection ended.
   * @param {(event: Reconnecting) => void} tell Is told of each try before it.
   * @param {AbortSignal} signal Ends the tries; the signal's reason is thrown.
   */
  async reconnect(error, tell, signal) {
    const broke = now();
    const outage = this.#outageAt(broke);
    for (;;) {
      const delay = this.#nextDelay(outage, now(), error);
      tell({ type: "reconnecting", attempt: outage.attempt, delay, why: error.message });
      await sleep(delay, signal);
      try {
        const { connection, opened } = await this.#dialer.open(this.#protocol.place, signal);
        outage.connected(now());
        return { connection, event: this.#reopened(connection, opened, now() - broke) };
      } catch (failed) {
        signal.throwIfAborted();
        if (!(failed instanceof Error)) throw failed;
        if (!mayPass(failed) && !this.#fallsBack(failed)) throw failed;
        error = failed;
      }
    }
  }

  /**
   * @param {import("./connection.js").Connection} connection
   * @param {import("./wire.js").Opened} opened
   * @param {number} seconds
   */
  #reopened(connection, opened, seconds) {
    try {
      return this.#protocol.reopened(opened, seconds);
    } catch (error) {
      connection.close(); // ends the new session, which nobody wants
      throw error;
    }
  }

  /**
   * Returns true if the server has lost results that are here: the next try asks from its last.
   * @param {Error} error
   */
  #fallsBack(error) {
    const known = error instanceof Refused ? error.index : null;
    return known !== null && this.#protocol.recorded(known);
  }

  /** @param {number} at */
  #outageAt(at) {
    const { progress } = this.#protocol;
    if (this.#outage === null || !this.#outage.goesOn(at, progress)) {
      this.#outage = new Outage(this.#backoff, at, progress);
    }
    return this.#outage;
  }

  /**
   * @param {Outage} outage
   * @param {number} at
   * @param {Error} error
   */
  #nextDelay(outage, at, error) {
    const { identity, goingAway, outbox, secondsLost } = this.#protocol;
    const patience = this.#patience ?? identity.resumeSeconds ?? DEFAULT_WINDOW;
    const restarting = error instanceof ConnectionLost && error.code === RESTARTING;
    const delay = outage.nextDelay(at, patience, {
      prompt: restarting || goingAway,
      retryAfter: error instanceof Refused ? error.retryAfter : null,
    });
    if (delay !== null) return delay;
    throw new ReconnectFailed(at - outage.began, error, outbox.pendingBytes, secondsLost);
  }
}

/** Seconds on a clock that is never set. */
function now() {
  return performance.now() / 1000;
}
