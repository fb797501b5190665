/** One WebSocket, whichever class makes it: messages and the close are read one by one. */

import { WebSocketMissing } from "./errors.js";

/** Tells the server that this client comes back: only 1000, 1001 and 1008 are for good. */
const COMES_BACK = 4000;
const FOR_GOOD = 1000;
const NONE_SAID = 1005;
const LOST = 1006;
const CLOSED = 3;

/**
 * The part of the browser's WebSocket that is used here; the class of the package `ws` has it too.
 *
 * @typedef {object} Socket
 * @property {string} binaryType
 * @property {number} readyState
 * @property {((event: any) => void) | null} onopen
 * @property {((event: any) => void) | null} onmessage
 * @property {((event: any) => void) | null} onclose
 * @property {((event: any) => void) | null} onerror
 * @property {(data: any) => void} send
 * @property {(code?: number, reason?: string) => void} close
 *
 * @typedef {new (url: string, protocols?: any, options?: any) => any} SocketClass
 *
 * @typedef {{ data: unknown }} Message
 * @typedef {{ code: number, reason: string }} Close
 */

export class Connection {
  /** Resolves to true when it is open, to false if it closed before. @type {Promise<boolean>} */
  opened;

  /** What the platform says about a failure; may be empty. */
  problem = "";

  #socket;
  /** @type {Array<Message | Close>} */
  #arrived = [];
  /** @type {(() => void) | null} */
  #wake = null;
  #over = false;

  /**
   * @param {string} url
   * @param {string | null} key What access needs.
   * @param {SocketClass} [Class] By default that of the platform.
   */
  constructor(url, key, Class = globalThis.WebSocket) {
    if (Class === undefined) throw new WebSocketMissing();
    /** @type {Socket} */
    this.#socket = key === null ? new Class(url) : withKey(Class, url, key);
    const socket = this.#socket;
    socket.binaryType = "arraybuffer";
    this.opened = new Promise((resolve) => {
      socket.onopen = () => resolve(true);
      socket.onclose = (/** @type {Close} */ { code, reason }) => {
        resolve(false);
        this.#arrive({ code: code === NONE_SAID ? LOST : code, reason });
      };
    });
    socket.onmessage = (/** @type {Message} */ { data }) => this.#arrive({ data });
    // The close follows. Only the package `ws` says more than that something failed.
    socket.onerror = (/** @type {{ message?: string }} */ { message }) => {
      this.problem = message ?? "";
    };
  }

  /** @param {Uint8Array<ArrayBuffer> | string} frame */
  send(frame) {
    this.#socket.send(frame);
  }

  /**
   * Returns the next message or the close, null if nothing comes in time. Call it one at a time.
   * @param {number} seconds
   * @returns {Promise<Message | Close | null>}
   */
  async next(seconds) {
    if (this.#arrived.length === 0) {
      await new Promise((/** @type {(_: void) => void} */ resolve) => {
        const timer = setTimeout(resolve, Math.max(0, seconds * 1000));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = null;
    }
    return this.#arrived.shift() ?? null;
  }

  /** Closes for good: the server ends the session. */
  close() {
    this.#leave(FOR_GOOD);
  }

  /** Leaves a connection that is of no use any more; the session waits for another one. */
  abandon() {
    this.#leave(COMES_BACK);
  }

  /** @param {number} code */
  #leave(code) {
    this.#arrive({ code: LOST, reason: "it was closed on this side" });
    if (this.#socket.readyState !== CLOSED) this.#socket.close(code);
  }

  /**
   * Takes what has arrived; nothing follows a close.
   * @param {Message | Close} arrived
   */
  #arrive(arrived) {
    if (this.#over) return;
    this.#over = "code" in arrived;
    this.#arrived.push(arrived);
    this.#wake?.();
  }
}

/**
 * Opens a socket that shows a key: in a header where that can be, else as a subprotocol.
 * @param {SocketClass} Class
 * @param {string} url
 * @param {string} key
 */
function withKey(Class, url, key) {
  const headers = { Authorization: `Bearer ${key}` };
  if (inNode() && "terminate" in Class.prototype) return new Class(url, [], { headers }); // ws
  // A browser lets no page set a header here.
  return new Class(url, ["bearer", key]);
}

function inNode() {
  const { process } = /** @type {{ process?: { versions?: { node?: string } } }} */ (globalThis);
  return process?.versions?.node !== undefined;
}
