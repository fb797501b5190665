/**
 * Turns the sound of the microphone into 16 kHz mono s16le in 100 ms messages.
 *
 * Runs on the audio thread. Posts an ArrayBuffer for every 100 ms; on the message "stop", what
 * is left and then null.
 */

const RATE = 16_000;
const MESSAGE_SAMPLES = RATE / 10;

/** Samples of silence at the start: no first bytes of speech can be taken for a file's header. */
const LEAD_IN_SAMPLES = 16;

/** Zero crossings of the filter on each side, and its cut-off as a share of the lower rate's. */
const ZERO_CROSSINGS = 16;
const CUTOFF = 0.92;

function greatestCommonDivisor(a, b) {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** One row of filter weights for each fraction of a sample at which an output can fall. */
function filterRows(phases, reach, scale) {
  return Array.from({ length: phases }, (_, phase) => {
    const row = new Float32Array(2 * reach);
    for (let tap = 0; tap < row.length; tap += 1) {
      const distance = tap - (reach - 1) - phase / phases;
      const x = Math.PI * distance * scale;
      const turn = (Math.PI * distance) / reach;
      const blackman = 0.42 + 0.5 * Math.cos(turn) + 0.08 * Math.cos(2 * turn);
      row[tap] = (x === 0 ? 1 : Math.sin(x) / x) * blackman;
    }
    const sum = row.reduce((total, weight) => total + weight, 0);
    return row.map((weight) => weight / sum);
  });
}

/** Resamples a stream by windowed sinc; rates are whole numbers of Hz. */
class Resampler {
  #step;
  #phases;
  #rows;
  #phase = 0;
  #next = 0;
  #held = new Float32Array(0);

  constructor(from, to) {
    const divisor = greatestCommonDivisor(from, to);
    this.#step = from / divisor;
    this.#phases = to / divisor;
    const scale = Math.min(1, to / from) * CUTOFF;
    this.#rows = filterRows(this.#phases, Math.ceil(ZERO_CROSSINGS / scale), scale);
  }

  /** Takes input samples and gives each output sample that they complete to `emit`. */
  push(samples, emit) {
    const input = new Float32Array(this.#held.length + samples.length);
    input.set(this.#held);
    input.set(samples, this.#held.length);
    const taps = this.#rows[0].length;
    while (this.#next + taps <= input.length) {
      const row = this.#rows[this.#phase];
      let sum = 0;
      for (let tap = 0; tap < taps; tap += 1) sum += row[tap] * input[this.#next + tap];
      emit(sum);
      this.#phase += this.#step;
      this.#next += Math.floor(this.#phase / this.#phases);
      this.#phase %= this.#phases;
    }
    const used = Math.min(this.#next, input.length);
    this.#held = input.slice(used);
    this.#next -= used;
  }
}

class Capture extends AudioWorkletProcessor {
  #resampler = sampleRate === RATE ? null : new Resampler(sampleRate, RATE);
  #message = new Int16Array(MESSAGE_SAMPLES);
  #filled = 0;
  #leadIn = LEAD_IN_SAMPLES;
  #stopped = false;

  constructor() {
    super();
    this.port.onmessage = () => this.#stop();
  }

  process([channels]) {
    if (this.#stopped) return false;
    if (channels.length === 0) return true;
    const mono = channels[0].map(
      (_, i) => channels.reduce((sum, channel) => sum + channel[i], 0) / channels.length,
    );
    const emit = (sample) => this.#append(sample);
    if (this.#resampler === null) mono.forEach(emit);
    else this.#resampler.push(mono, emit);
    return true;
  }

  #append(sample) {
    const audible = this.#leadIn === 0 ? sample : 0;
    this.#leadIn = Math.max(0, this.#leadIn - 1);
    this.#message[this.#filled] = Math.round(Math.max(-1, Math.min(1, audible)) * 32767);
    this.#filled += 1;
    if (this.#filled === MESSAGE_SAMPLES) this.#post();
  }

  #post() {
    const { buffer } = this.#message.slice(0, this.#filled);
    this.#filled = 0;
    this.port.postMessage(buffer, [buffer]);
  }

  #stop() {
    this.#stopped = true;
    if (this.#filled > 0) this.#post();
    this.port.postMessage(null);
  }
}

registerProcessor("scripta-capture", Capture);
