/** Decodes a recording in the browser, so that a connection that breaks can be made good. */

import { UndecodableFile } from "../errors.js";
import { toPcm } from "../samples.js";

const RATE = 16_000;

/**
 * Returns the sound of a file as `linear16` at 16 kHz, mono: `sendFile` sends it.
 *
 * The whole file is decoded in memory: an hour takes some 350 MB for each channel. Send a longer
 * one as it is.
 * @param {Blob} file Whatever the browser plays.
 * @returns {Promise<Blob>}
 */
export async function decodeFile(file) {
  const context = new OfflineAudioContext(1, 1, RATE);
  /** @type {AudioBuffer} */
  let sound;
  try {
    sound = await context.decodeAudioData(await file.arrayBuffer());
  } catch (cause) {
    throw new UndecodableFile(
      "the browser can not decode this file; send it as it is, for the gateway knows more formats",
      { cause },
    );
  }
  return new Blob([toPcm(mixed(sound))], { type: "audio/L16" });
}

/**
 * Returns the mean of the channels.
 * @param {AudioBuffer} sound
 */
function mixed(sound) {
  const [first, ...others] = Array.from({ length: sound.numberOfChannels }, (_, channel) =>
    sound.getChannelData(channel),
  );
  if (first === undefined || others.length === 0) return first ?? new Float32Array(0);
  const all = [first, ...others];
  return first.map((_, i) => all.reduce((sum, each) => sum + (each[i] ?? 0), 0) / all.length);
}
