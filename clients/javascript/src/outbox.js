/**
 * What is on its way to the server, in order, until the server is known to have it.
 *
 * Until then it may be lost with the connection and has to be sent again. It is bounded, so that
 * acknowledgements hold a sender back. Controls keep their place among the audio.
 */

export const FINALIZE = '{"type":"finalize"}';
export const KEEPALIVE = '{"type":"keepalive"}';
export const END = '{"type":"end"}';

/** @typedef {Uint8Array<ArrayBuffer> | string} OutFrame Audio, or a control in JSON. */

export class Outbox {
  /** Audio messages that are not acknowledged. */
  pending = 0;
  /** Their bytes. */
  pendingBytes = 0;
  /** Messages that this session has acknowledged. */
  accepted = 0;
  /** Bytes acknowledged so far, by all sessions. */
  acceptedBytes = 0;

  /** @type {OutFrame[]} */
  #frames = [];
  /** How many of the frames have been handed out on this connection. */
  #sent = 0;
  /** Finalizes that the server has, and whose finals are still to come. */
  #finalizing = 0;

  /** @param {number} limit Bytes of audio there may be. One message fits whatever its size. */
  constructor(limit) {
    this.limit = limit;
  }

  /**
   * Returns true if a message of `size` bytes may be added now.
   * @param {number} size
   */
  hasRoom(size) {
    return this.pending === 0 || this.pendingBytes + size <= this.limit;
  }

  /**
   * Puts audio or a control in line.
   * @param {OutFrame} frame
   */
  add(frame) {
    this.#frames.push(frame);
    if (typeof frame !== "string") {
      this.pending += 1;
      this.pendingBytes += frame.byteLength;
    }
  }

  /** Returns the frame to send next, null if all are sent. */
  next() {
    const frame = this.#frames[this.#sent];
    if (frame === undefined) return null;
    // A sign of life is worth nothing later.
    if (frame === KEEPALIVE) this.#frames.splice(this.#sent, 1);
    else this.#sent += 1;
    return frame;
  }

  /** Makes everything that is left go again: there is a new connection. */
  rewind() {
    this.#sent = 0;
  }

  /** Makes everything that is left go again, to a session that has nothing yet. */
  restart() {
    this.#sent = this.accepted = this.#finalizing = 0;
  }

  /**
   * Drops the oldest message; returns false if that is not sent or not of `size` bytes.
   * @param {number} size
   */
  acknowledge(size) {
    const place = this.#oldest();
    if (place < 0 || place >= this.#sent || this.#frames[place]?.length !== size) return false;
    this.#accept(place);
    return true;
  }

  /**
   * Drops the messages that a session has, which it counts from its start.
   *
   * Returns false if it has fewer than it acknowledged, or more than there are.
   * @param {number} accepted
   */
  settle(accepted) {
    if (accepted < this.accepted || accepted > this.accepted + this.pending) return false;
    while (this.accepted < accepted) this.#accept(this.#oldest());
    return true;
  }

  /**
   * Drops the message that the server refused; returns its size, 0 if there is none.
   * @param {number} over It is the oldest of more than this many bytes.
   */
  refuse(over = -1) {
    const place = this.#frames.findIndex(
      (frame) => typeof frame !== "string" && frame.byteLength > over,
    );
    if (place < 0) return 0;
    return this.#drop(place).length;
  }

  /** Records that a finalize is answered: it need not be sent again. */
  finalized() {
    if (this.#finalizing > 0) this.#finalizing -= 1;
    else if (this.#sent > 0 && this.#frames[0] === FINALIZE) this.#drop(0);
  }

  /** Returns the place of the oldest audio message, -1 if there is none. */
  #oldest() {
    return this.#frames.findIndex((frame) => typeof frame !== "string");
  }

  /**
   * Drops a message that the server has, and the controls before it: it has those too.
   * @param {number} place
   */
  #accept(place) {
    for (let before = 0; before < place; before += 1) {
      if (this.#drop(0) === FINALIZE) this.#finalizing += 1;
    }
    this.accepted += 1;
    this.acceptedBytes += this.#drop(0).length;
  }

  /**
   * @param {number} place
   * @returns {OutFrame}
   */
  #drop(place) {
    const [frame] = this.#frames.splice(place, 1);
    if (frame === undefined) throw new RangeError(`nothing in line at ${place}`);
    if (typeof frame !== "string") {
      this.pending -= 1;
      this.pendingBytes -= frame.byteLength;
    }
    if (place < this.#sent) this.#sent -= 1;
    return frame;
  }
}
