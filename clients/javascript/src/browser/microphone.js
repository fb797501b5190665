/**
 * The microphone: asks the browser for it and delivers 16 kHz mono samples in pieces of 100 ms.
 *
 * The sound is taken at the device's own rate and resampled on the audio thread, because not every
 * browser joins a microphone to an audio context of another rate.
 */

import { MicrophoneUnavailable } from "../errors.js";
import { levelOf } from "../samples.js";

/** @import { Session } from "../session.js" */

const FLUSH_MS = 1000;
/** Pieces that may wait while a session reconnects: half a minute. */
const WAITING = 300;

/**
 * @typedef {object} MicrophoneOptions
 * @property {string} [deviceId] Which microphone, as `enumerateDevices` names it.
 * @property {(level: number) => void} [onLevel] Is told how loud each piece is, from 0 to 1.
 * @property {string | URL} [worklet] Where `capture-worklet.js` of this package is served, if a
 *   bundler does not find it by itself.
 */

/**
 * An open microphone; iterating yields pieces of samples until it is stopped.
 * @implements {AsyncIterable<Int16Array<ArrayBuffer>>}
 */
export class Microphone {
  #stream;
  #context;
  #onLevel;
  /** @type {AudioWorkletNode | null} */
  #node = null;
  /** @type {Array<Int16Array<ArrayBuffer>>} */
  #pieces = [];
  /** @type {() => void} */
  #wake = () => {};
  #over = false;
  /** @type {Error | null} */
  #error = null;

  /**
   * Made by `open`.
   * @param {MediaStream} stream
   * @param {AudioContext} context
   * @param {(level: number) => void} onLevel
   */
  constructor(stream, context, onLevel) {
    this.#stream = stream;
    this.#context = context;
    this.#onLevel = onLevel;
  }

  /**
   * Asks for the microphone and begins to listen; the browser may ask its user.
   * @param {MicrophoneOptions} options
   */
  static async open({ deviceId, onLevel = () => {}, worklet } = {}) {
    if (!globalThis.isSecureContext || navigator.mediaDevices === undefined) {
      throw new MicrophoneUnavailable(
        "browsers give a microphone only to pages from localhost or over https",
      );
    }
    const wanted = deviceId === undefined ? {} : { deviceId: { exact: deviceId } };
    const stream = await asked({ audio: { channelCount: 1, ...wanted } });
    const microphone = new Microphone(stream, new AudioContext(), onLevel);
    try {
      await microphone.#listen(worklet ?? new URL("./capture-worklet.js", import.meta.url));
    } catch (cause) {
      await microphone.stop();
      const problem = "the code for the audio thread could not be loaded; give its address as `worklet`";
      throw new MicrophoneUnavailable(problem, { cause });
    }
    return microphone;
  }

  /**
   * Sends all that is heard to a session until the microphone is stopped; it does not end that.
   * @param {Session} session
   */
  async sendTo(session) {
    for await (const piece of this) await session.send(piece);
  }

  /** Gives the microphone back; what was heard until now is still delivered. */
  async stop() {
    for (const track of this.#stream.getTracks()) track.stop();
    if (this.#node !== null && !this.#over) await this.#flush(this.#node);
    this.#finish(null);
    if (this.#context.state !== "closed") await this.#context.close();
  }

  /** @returns {AsyncIterator<Int16Array<ArrayBuffer>, undefined>} */
  [Symbol.asyncIterator]() {
    return {
      next: async () => {
        while (this.#pieces.length === 0 && !this.#over) {
          await new Promise((/** @type {(_: void) => void} */ resolve) => (this.#wake = resolve));
        }
        const value = this.#pieces.shift();
        if (value !== undefined) return { done: false, value };
        if (this.#error !== null) throw this.#error;
        return { done: true, value: undefined };
      },
    };
  }

  /** @param {string | URL} worklet */
  async #listen(worklet) {
    await this.#context.audioWorklet.addModule(worklet);
    await this.#context.resume();
    this.#node = new AudioWorkletNode(this.#context, "scripta-capture", {
      channelCountMode: "max",
    });
    this.#node.port.onmessage = ({ data }) => this.#take(data);
    // A node runs only on the way to an output; this one puts out silence.
    this.#node.connect(this.#context.destination);
    this.#context.createMediaStreamSource(this.#stream).connect(this.#node);
    for (const track of this.#stream.getTracks()) {
      track.onended = () => {
        this.#finish(new MicrophoneUnavailable("the microphone went away; plug it in or allow it"));
      };
    }
  }

  /**
   * Takes a piece, or the sign that none follows.
   * @param {ArrayBuffer | null} data
   */
  #take(data) {
    if (data === null || this.#over) {
      this.#finish(null);
      return;
    }
    const piece = new Int16Array(data);
    this.#onLevel(levelOf(piece));
    this.#pieces.push(piece);
    this.#wake();
    if (this.#pieces.length > WAITING) {
      this.#finish(new MicrophoneUnavailable("nobody took what was heard for half a minute"));
    }
  }

  /** @param {AudioWorkletNode} node */
  async #flush(node) {
    await new Promise((/** @type {(_: void) => void} */ resolve) => {
      const late = setTimeout(resolve, FLUSH_MS);
      node.port.onmessage = ({ data }) => {
        this.#take(data);
        if (data !== null) return;
        clearTimeout(late);
        resolve();
      };
      node.port.postMessage("stop");
    });
  }

  /** @param {Error | null} error */
  #finish(error) {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    for (const track of this.#stream.getTracks()) track.stop();
    this.#wake();
  }
}

/**
 * Asks the browser for a microphone.
 * @param {MediaStreamConstraints} constraints
 */
async function asked(constraints) {
  try {
    return await navigator.mediaDevices.getUserMedia(constraints);
  } catch (cause) {
    const { name, message } = /** @type {DOMException} */ (cause);
    throw new MicrophoneUnavailable(OBSTACLES[name] ?? `it does not work: ${message}`, { cause });
  }
}

/** @type {Record<string, string>} */
const OBSTACLES = {
  NotAllowedError: "it is not allowed for this page; allow it beside the address",
  NotFoundError: "there is none on this machine; plug one in",
  NotReadableError: "another program uses it; close that",
};
