/** What a client asks of a session, and the address that asks for it. */

import { InvalidUrl } from "./errors.js";

/**
 * What is left out is the server's choice.
 *
 * @typedef {object} SpeechOptions
 * @property {string} [language] BCP-47 tag of the speech, or `auto`.
 * @property {string} [model] Model that transcribes, such as `moonshine`.
 * @property {boolean} [interimResults] Whether interims are wanted.
 * @property {"linear16" | "mulaw" | "alaw"} [encoding] Encoding of raw audio. Without it the server
 *   finds out from the first bytes: a file or a stream in a container, else 16-bit samples.
 * @property {number} [sampleRate] Samples per second of raw audio (16,000).
 * @property {number} [channels] Channels of raw audio, which the server mixes down (1).
 * @property {number} [endpointing] Milliseconds of silence that end a segment.
 * @property {number} [maxSegment] Milliseconds after which speech that goes on is cut.
 * @property {boolean} [wordTimes] False: finals have no words with times.
 * @property {boolean} [punctuate] False: lower case without punctuation.
 * @property {boolean} [numerals] Whether number words become digits.
 * @property {boolean} [profanityFilter] Whether only the first letter of profane words stays.
 * @property {string[]} [redact] What is hidden: `numbers`, `pci`, `ssn`.
 * @property {string[]} [keyterms] Names and terms that are probably said.
 * @property {boolean} [upload] Whether nobody listens live: the session may wait for a slot.
 *
 * @typedef {{ token: string, index: number }} Place Where a client left off: what takes its
 *   session up again, and the index of the last final that it has.
 */

/** @type {Array<[keyof SpeechOptions, string]>} */
const NAMES = [
  ["language", "language"],
  ["model", "model"],
  ["interimResults", "interim_results"],
  ["encoding", "encoding"],
  ["sampleRate", "sample_rate"],
  ["channels", "channels"],
  ["endpointing", "endpointing"],
  ["maxSegment", "max_segment"],
  ["wordTimes", "word_times"],
  ["punctuate", "punctuate"],
  ["numerals", "numerals"],
  ["profanityFilter", "profanity_filter"],
  ["redact", "redact"],
  ["keyterms", "keyterms"],
  ["upload", "upload"],
];

/** @type {Record<string, string>} */
const SCHEMES = { "ws:": "ws:", "wss:": "wss:", "http:": "ws:", "https:": "wss:" };
const SAMPLE_BYTES = { linear16: 2, mulaw: 1, alaw: 1 };
const SAMPLE_RATE = 16_000;

/**
 * Returns the WebSocket's address that asks for these options.
 *
 * `http` becomes `ws`, an address without a scheme gets `ws`, a missing path becomes `/ws`, and an
 * address that begins with `/` belongs to the host of the page.
 * @param {string | URL} url The gateway.
 * @param {SpeechOptions} options
 * @param {Place | null} place The session to come back to; null asks for a new one.
 */
export function address(url, options, place = null) {
  const found = parsed(String(url));
  if (found.pathname === "/") found.pathname = "/ws";
  found.hash = "";
  for (const [option, name] of NAMES) {
    const value = options[option];
    if (value !== undefined) found.searchParams.set(name, String(value));
  }
  found.searchParams.set("events", "true");
  if (place !== null) {
    found.searchParams.set("resume", place.token);
    found.searchParams.set("from", String(place.index));
  }
  return found.href;
}

/**
 * Returns the bytes of a second of raw audio; null where the audio may be in a container.
 * @param {SpeechOptions} options
 */
export function bytesPerSecond({ encoding, channels = 1, sampleRate = SAMPLE_RATE }) {
  return encoding === undefined ? null : SAMPLE_BYTES[encoding] * channels * sampleRate;
}

/**
 * @param {string} url
 * @returns {URL}
 */
function parsed(url) {
  const page = globalThis.location?.href;
  const full = /^([a-z]+:)?\//i.test(url) ? url : `ws://${url}`;
  /** @type {URL} */
  let found;
  try {
    found = new URL(full, page);
  } catch {
    throw new InvalidUrl(`"${url}" is not an address like ws://localhost:8000/ws`);
  }
  const scheme = SCHEMES[found.protocol];
  if (scheme === undefined || found.hostname === "") {
    throw new InvalidUrl(`"${url}" is not an address like ws://localhost:8000/ws`);
  }
  // A scheme can be exchanged by assignment only among those of one kind in some browsers.
  return new URL(scheme + found.href.slice(found.protocol.length));
}
