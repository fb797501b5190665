/**
 * The client's side of a session, without a socket: frames in, events and frames out. Finals leave
 * exactly once and in order, over all connections. No interim follows the final that covers it.
 */

import { LOSING_FAILURES, PASSING_FAILURES } from "./backoff.js";
import { Continuity } from "./continuity.js";
import { ConnectionLost, ProtocolViolation, SessionFailed, SessionLost } from "./errors.js";
import { Identity } from "./identity.js";
import { END, Outbox } from "./outbox.js";
import { parse } from "./wire.js";

/** @import { Ended, Resumed, Restarted, SessionEvent } from "./events.js" */
/** @import { Failure, Opened } from "./wire.js" */

const STREAM_HAS_ENDED = "The stream has ended";
/** Times come in milliseconds. */
const ROUNDING = 0.002;

export class Protocol {
  /** @type {"open" | "ending" | "ended"} */
  state = "open";
  identity = new Identity();
  /** Whether the gateway has asked to connect again. */
  goingAway = false;
  /** Why only a new session can go on with the stream; empty: this one can. */
  lapsed = "";

  #bytesPerSecond;
  #goesOnLossy;
  #results = new Continuity();
  #resumed = false;
  /** @type {SessionFailed | null} A failure that may pass; the close follows. */
  #failure = null;

  /**
   * @param {number} maxUnacknowledged Bytes of audio that may be ahead of acknowledgements.
   * @param {number | null} bytesPerSecond Of raw audio; null where the length is not known.
   * @param {boolean} goesOnLossy Whether to go on in a new session although words are lost.
   */
  constructor(maxUnacknowledged, bytesPerSecond = null, goesOnLossy = false) {
    this.outbox = new Outbox(maxUnacknowledged);
    this.#bytesPerSecond = bytesPerSecond;
    this.#goesOnLossy = goesOnLossy;
  }

  /** Whether the server owes an answer: an acknowledgement, the end or a close. */
  get owed() {
    if (this.#failure !== null || this.lapsed !== "") return true;
    return this.outbox.pending > 0 || this.state === "ending";
  }

  /** Where to come back to; null asks for a new session. */
  get place() {
    return this.lapsed === "" ? this.identity.place(this.#results.sessionIndex) : null;
  }

  /** How far the stream is: the same text while nothing is achieved. */
  get progress() {
    return `${this.outbox.acceptedBytes} ${this.#results.lastIndex}`;
  }

  /** Seconds of acknowledged audio that have no final yet, at most; null: not known. */
  get secondsLost() {
    if (this.outbox.accepted === 0) return 0;
    if (this.#bytesPerSecond === null) return null;
    return Math.max(0, this.#acceptedSeconds - this.#results.heard);
  }

  /** @param {Uint8Array<ArrayBuffer>} message */
  audio(message) {
    if (this.state !== "open") throw new TypeError("audio after end(): the session takes no more");
    this.outbox.add(message);
  }

  /** @param {string} control */
  control(control) {
    if (this.state === "open") this.outbox.add(control);
  }

  end() {
    this.control(END);
    if (this.state === "open") this.state = "ending";
  }

  /**
   * Records that the server has results up to that index only; returns true if that is news.
   * @param {number} index
   */
  recorded(index) {
    const before = this.place?.index;
    this.identity.recorded(index);
    return this.place?.index !== before;
  }

  /**
   * Takes the first frame of a further connection; all that is left goes again.
   * @param {Opened} frame
   * @param {number} seconds Time without a connection.
   */
  reopened(frame, seconds) {
    const event = frame.resumed ? this.#takeUp(frame, seconds) : this.#startOver(frame, seconds);
    this.identity.take(frame);
    this.#resumed = frame.resumed;
    this.#failure = null;
    this.goingAway = false;
    this.lapsed = "";
    return event;
  }

  /**
   * Takes a frame from the server; returns the event that it makes, or null.
   * @param {unknown} data
   * @returns {SessionEvent | null}
   */
  receive(data) {
    const frame = parse(data);
    if (frame === null) return null;
    switch (frame.type) {
      case "received":
        if (this.outbox.acknowledge(frame.size)) return null;
        throw new ProtocolViolation(`it acknowledged ${frame.size} bytes out of turn`);
      case "session":
        this.identity.take(frame);
        return null;
      case "error":
        return this.#error(frame);
      case "final": {
        const final = this.#results.final(frame);
        if (final?.reason === "finalize") this.outbox.finalized();
        return final;
      }
      case "interim":
        return this.#results.interim(frame);
      case "ended":
        return this.#ended(frame);
      case "going_away":
        this.goingAway = true;
        return frame;
      default:
        return frame;
    }
  }

  /**
   * Takes the close of the connection; returns `ended` if that is still to be told.
   * @param {number} code
   * @param {string} reason
   * @returns {Ended | null}
   */
  closed(code, reason) {
    if (this.state === "ended") return null;
    if (this.#failure !== null) throw this.#failure;
    if (this.lapsed !== "") throw new ConnectionLost(1006, "the session is over on the server");
    if (this.state === "ending" && code === 1000 && this.outbox.pending === 0) {
      this.state = "ended";
      return { type: "ended", duration: null };
    }
    throw new ConnectionLost(code, reason);
  }

  get #acceptedSeconds() {
    // Of what is in a container, nothing was accepted if a new session may go on.
    return this.#bytesPerSecond === null ? 0 : this.outbox.acceptedBytes / this.#bytesPerSecond;
  }

  /**
   * @param {Opened} frame
   * @param {number} seconds
   * @returns {Resumed}
   */
  #takeUp(frame, seconds) {
    const { accepted } = this.outbox;
    if (frame.received < accepted) throw new SessionLost("audio_missing", this.secondsLost);
    if (!this.outbox.settle(frame.received)) {
      throw new ProtocolViolation(`it has ${frame.received} messages, more than it was sent`);
    }
    this.outbox.rewind();
    return { type: "resumed", seconds };
  }

  /**
   * @param {Opened} frame
   * @param {number} seconds
   * @returns {Restarted}
   */
  #startOver(frame, seconds) {
    const reason = this.lapsed || frame.reason || "unknown";
    const secondsLost = this.#bearable(reason);
    this.#results.startOver(this.#acceptedSeconds);
    this.outbox.restart();
    return { type: "restarted", reason, secondsLost, seconds };
  }

  /**
   * Returns the seconds that a new session would lack; throws if that is not borne.
   * @param {string} reason
   */
  #bearable(reason, said = "") {
    const lost = this.secondsLost;
    if (lost !== null && lost <= ROUNDING) return 0;
    if (lost === null || !this.#goesOnLossy) throw new SessionLost(reason, lost, said);
    return lost;
  }

  /**
   * @param {Failure} frame
   * @returns {SessionEvent | null}
   */
  #error({ message, code, refusedOver }) {
    if (code !== null) {
      this.#fail(new SessionFailed(code, message));
      return null;
    }
    // The server ended the session while we were away; `ended` follows.
    if (this.#resumed && message.startsWith(STREAM_HAS_ENDED)) return null;
    const bytes = refusedOver === null ? 0 : this.outbox.refuse(refusedOver);
    return { type: "refused", message, bytes };
  }

  /** @param {SessionFailed} failure */
  #fail(failure) {
    this.#failure = failure;
    if (LOSING_FAILURES.includes(failure.code)) {
      this.#bearable(failure.code, failure.said);
      this.lapsed = failure.code;
    } else if (!PASSING_FAILURES.includes(failure.code)) {
      throw failure;
    }
  }

  /**
   * @param {Ended} ended
   * @returns {Ended | null}
   */
  #ended(ended) {
    if (this.#resumed && (this.state === "open" || this.outbox.pending > 0)) {
      // All that was accepted has its words; what was not goes to a new session.
      this.#results.heard = Math.max(this.#results.heard, this.#acceptedSeconds);
      this.#bearable("ended");
      this.lapsed = "ended";
      return null;
    }
    if (this.state !== "ending") return null;
    const unanswered = this.outbox.pendingBytes;
    if (unanswered > 0) throw new ProtocolViolation(`it ended without ${unanswered} bytes`);
    this.state = "ended";
    return this.#results.ended(ended);
  }
}
