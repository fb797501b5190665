/** Audio as bytes, and what can be told from it; pure functions. */

/**
 * Returns a copy of the bytes.
 * @param {ArrayBuffer | ArrayBufferView} audio
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function copyOf(audio) {
  if (audio instanceof ArrayBuffer) return new Uint8Array(audio.slice(0));
  const { buffer, byteOffset, byteLength } = audio;
  return new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));
}

/**
 * Returns samples from -1 to 1 as 16-bit integers; what is beyond is clipped.
 * @param {Float32Array} samples
 */
export function toPcm(samples) {
  return Int16Array.from(samples, (sample) => Math.round(Math.max(-1, Math.min(1, sample)) * 32767));
}

/**
 * Returns how loud samples are, from 0 (silence) to 1 (full scale): their root mean square.
 * @param {Int16Array} pcm
 */
export function levelOf(pcm) {
  if (pcm.length === 0) return 0;
  const sum = pcm.reduce((total, sample) => total + sample * sample, 0);
  return Math.sqrt(sum / pcm.length) / 32768;
}
