/**
 * A live session: the protocol joined to a socket, and to the next one if that breaks.
 *
 * One loop holds the connection. It reads all the time, so that acknowledgements arrive whether or
 * not anyone iterates, and comes back after a break. Senders put things in line, and wait until
 * their audio fits among what is unacknowledged.
 */

import { ConnectionLost, ServerSilent } from "./errors.js";
import { Inbox } from "./inbox.js";
import { FINALIZE, KEEPALIVE } from "./outbox.js";
import { copyOf } from "./samples.js";
import { unlessAborted } from "./waiting.js";

/** @import { Close, Connection, Message } from "./connection.js" */
/** @import { SessionEvent } from "./events.js" */
/** @import { Protocol } from "./protocol.js" */
/** @import { Reconnector } from "./reconnector.js" */

/** Larger pieces of audio are sent as several messages of this size. */
const MESSAGE_BYTES = 64_000;
const NEVER = new AbortController().signal;

/**
 * An open session; made by `connect`.
 *
 * Iterating yields events until everything is transcribed, and throws if the session ends in
 * another way. To leave the loop closes nothing: call `close()`.
 * @implements {AsyncIterable<SessionEvent>}
 */
export class Session {
  #connection;
  #protocol;
  #reconnector;
  #responseSeconds;
  #inbox = new Inbox();
  #closing = new AbortController();
  #reconnecting = false;
  /** When the server was last heard, or began to owe an answer. */
  #active = performance.now();
  /** @type {Array<() => void>} Senders that wait for room. */
  #waiting = [];
  /** Keeps the pieces of one call to `send` together. */
  #sending = Promise.resolve();

  /**
   * @param {Connection} connection The first connection.
   * @param {Protocol} protocol
   * @param {Reconnector} reconnector
   * @param {number} responseSeconds Seconds of silence to bear while the server owes an answer.
   * @param {AbortSignal} signal Closes the session.
   */
  constructor(connection, protocol, reconnector, responseSeconds, signal) {
    this.#connection = connection;
    this.#protocol = protocol;
    this.#reconnector = reconnector;
    this.#responseSeconds = responseSeconds;
    const abort = () => this.#leave(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    void this.#hold().finally(() => signal.removeEventListener("abort", abort));
  }

  /** The session's id, by which logs know it. */
  get id() {
    return this.#protocol.identity.session;
  }

  /** The number of this client in the server's own results. */
  get clientId() {
    return this.#protocol.identity.clientId;
  }

  /** Query parameters that the server does not know. */
  get ignored() {
    return this.#protocol.identity.ignored;
  }

  /** Bytes of audio that the server has acknowledged. */
  get acceptedBytes() {
    return this.#protocol.outbox.acceptedBytes;
  }

  /** Bytes of audio that are sent, or in line, and not acknowledged. */
  get unacknowledgedBytes() {
    return this.#protocol.outbox.pendingBytes;
  }

  /**
   * Puts audio in line; waits while too much is unacknowledged, a break included.
   *
   * The bytes are copied. An abort ends the wait; pieces that are in line by then stay there.
   * @param {ArrayBuffer | ArrayBufferView} audio
   * @param {{ signal?: AbortSignal }} options
   */
  async send(audio, { signal = NEVER } = {}) {
    const bytes = copyOf(audio);
    await this.#inTurn(async () => {
      for (let start = 0; start < bytes.length; start += MESSAGE_BYTES) {
        const message = bytes.slice(start, start + MESSAGE_BYTES);
        await this.#untilRoom(message.length, signal);
        this.#put(() => this.#protocol.audio(message));
      }
    });
  }

  /** Asks the server to end the current segment now; a final follows. */
  async finalize() {
    await this.#inTurn(async () => this.#put(() => this.#protocol.control(FINALIZE)));
  }

  /** Tells the server that silence is meant, so that the session is not closed as idle. */
  async keepalive() {
    await this.#inTurn(async () => this.#put(() => this.#protocol.control(KEEPALIVE)));
  }

  /** Says that no audio follows; the last finals and `ended` do. */
  async end() {
    await this.#inTurn(async () => this.#put(() => this.#protocol.end()));
  }

  /** Closes at once, without waiting for results; after the end it does nothing. */
  close() {
    this.#leave(new ConnectionLost(1006, "it was closed on this side"));
  }

  /** @returns {AsyncIterator<SessionEvent, undefined>} */
  [Symbol.asyncIterator]() {
    return {
      next: async () => {
        const value = await this.#inbox.get();
        return value === null ? { done: true, value: undefined } : { done: false, value };
      },
    };
  }

  /** @param {() => Promise<void>} work */
  async #inTurn(work) {
    const turn = this.#sending.then(work);
    this.#sending = turn.catch(() => {}); // its own caller hears of it
    await turn;
  }

  /**
   * @param {number} size
   * @param {AbortSignal} signal
   */
  async #untilRoom(size, signal) {
    signal.throwIfAborted();
    while (!this.#inbox.over && !this.#protocol.outbox.hasRoom(size)) {
      const room = new Promise((/** @type {(_: void) => void} */ resolve) => {
        this.#waiting.push(resolve);
      });
      await unlessAborted(room, signal);
    }
  }

  /** @param {() => void} put Puts something in line. */
  #put(put) {
    if (this.#inbox.error !== null) throw this.#inbox.error;
    if (!this.#protocol.owed) this.#active = performance.now();
    put();
    this.#flush();
  }

  /** Sends what is in line; a socket that is closed ignores it, and the reader hears the close. */
  #flush() {
    if (this.#reconnecting) return;
    for (let frame = this.#protocol.outbox.next(); frame; frame = this.#protocol.outbox.next()) {
      this.#connection.send(frame);
    }
  }

  /** Holds a connection until the session is over, and keeps how it ended. */
  async #hold() {
    try {
      while (this.#protocol.state !== "ended") {
        try {
          await this.#readOnce();
        } catch (error) {
          this.#closing.signal.throwIfAborted();
          if (!this.#reconnector.canHelp(error)) throw error;
          await this.#comeBack(/** @type {Error} */ (error));
        }
      }
      this.#inbox.close();
    } catch (error) {
      this.#inbox.close(error);
    } finally {
      this.#connection.close();
      this.#wake();
    }
  }

  /** Takes one frame, or the close, or notices that an answer is overdue. */
  async #readOnce() {
    const silent = (performance.now() - this.#active) / 1000;
    const arrived = await this.#connection.next(this.#responseSeconds - silent);
    this.#closing.signal.throwIfAborted();
    if (arrived === null) {
      const waited = (performance.now() - this.#active) / 1000;
      if (!this.#protocol.owed) this.#active = performance.now();
      else if (waited >= this.#responseSeconds) throw new ServerSilent(this.#responseSeconds);
      return;
    }
    const event = this.#take(arrived);
    if (event !== null) this.#inbox.put(event);
    this.#wake();
  }

  /** @param {Message | Close} arrived */
  #take(arrived) {
    if ("code" in arrived) return this.#protocol.closed(arrived.code, arrived.reason);
    this.#active = performance.now();
    return this.#protocol.receive(arrived.data);
  }

  /**
   * Takes the next connection; throws if there is to be none.
   * @param {Error} error
   */
  async #comeBack(error) {
    this.#reconnecting = true;
    this.#connection.abandon();
    const tell = this.#inbox.put.bind(this.#inbox);
    const next = await this.#reconnector.reconnect(error, tell, this.#closing.signal);
    this.#connection = next.connection;
    this.#reconnecting = false;
    this.#active = performance.now();
    this.#inbox.put(next.event);
    this.#flush();
    this.#wake();
  }

  /** @param {unknown} reason */
  #leave(reason) {
    if (this.#inbox.over) return;
    this.#inbox.close(reason);
    this.#closing.abort(reason);
    this.#connection.close();
    this.#wake();
  }

  #wake() {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
