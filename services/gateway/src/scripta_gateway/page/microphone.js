/**
 * The microphone: asks the browser for it and delivers 16 kHz mono s16le in 100 ms messages.
 *
 * The sound is taken at the device's own rate and resampled in the worklet, because not every
 * browser joins a microphone to an audio context of another rate.
 */

const FLUSH_TIMEOUT_MS = 1000;

/** The gateway did not deliver the code that runs on the audio thread. */
export class CodeMissing extends Error {}

/**
 * The page's audio context with the code in it; null before the first use.
 *
 * It is made once: the code of a new one would come from the gateway again, which may be away
 * just when a session is taken up.
 */
let prepared = null;

async function context() {
  if (prepared !== null) return prepared;
  const made = new AudioContext();
  try {
    await made.audioWorklet.addModule(new URL("capture-worklet.js", import.meta.url));
  } catch {
    await made.close();
    throw new CodeMissing();
  }
  prepared = made;
  return prepared;
}

/** Why there can be no microphone here, or null. */
export function microphoneObstacle() {
  if (!window.isSecureContext) {
    const port = location.port === "" ? "" : `:${location.port}`;
    return (
      "No microphone on this address: browsers give it only to pages from localhost or over " +
      `https. Open http://localhost${port}/ on the gateway's own machine (or through a port ` +
      "forward), or put https before the gateway. Files can be sent from here."
    );
  }
  if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) {
    return "This browser offers no microphone to pages. Files can be sent.";
  }
  return null;
}

export class Microphone {
  /** Called once if the microphone goes away by itself (unplugged, permission withdrawn). */
  onlost = () => {};

  #stream;
  #context;
  #source;
  #node;
  #flushed;
  #onchunk = null;

  /** Whether it delivers. */
  get live() {
    return this.#onchunk !== null;
  }

  /** Asks for the microphone; rejects with the browser's DOMException. */
  static async request() {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
    const microphone = new Microphone();
    microphone.#stream = stream;
    try {
      await microphone.#prepare();
    } catch (error) {
      await microphone.stop();
      throw error;
    }
    return microphone;
  }

  /** Starts to deliver; `onchunk` gets an ArrayBuffer of 3200 bytes, the last one fewer. */
  start(onchunk) {
    this.#onchunk = onchunk;
    this.#source = this.#context.createMediaStreamSource(this.#stream);
    this.#source.connect(this.#node);
  }

  /** Delivers what is left, then gives the microphone back. */
  async stop() {
    this.onlost = () => {};
    for (const track of this.#stream.getTracks()) track.stop();
    if (this.#onchunk !== null) {
      this.#node.port.postMessage("stop");
      const late = new Promise((resolve) => setTimeout(resolve, FLUSH_TIMEOUT_MS));
      await Promise.race([this.#flushed, late]);
      this.#onchunk = null;
    }
    this.#source?.disconnect();
    this.#node?.disconnect();
  }

  async #prepare() {
    this.#context = await context();
    await this.#context.resume();
    this.#node = new AudioWorkletNode(this.#context, "capture", { channelCountMode: "max" });
    // A node is run only on the way to an output; this one outputs silence.
    this.#node.connect(this.#context.destination);
    this.#flushed = new Promise((resolve) => {
      this.#node.port.onmessage = ({ data }) => {
        if (data === null) resolve();
        else this.#onchunk?.(data);
      };
    });
    for (const track of this.#stream.getTracks()) track.onended = () => this.onlost();
  }
}
