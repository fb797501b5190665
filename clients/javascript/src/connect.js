/** Opens a session. */

import { Dialer } from "./dialer.js";
import { bytesPerSecond } from "./options.js";
import { Protocol } from "./protocol.js";
import { Reconnector } from "./reconnector.js";
import { Session } from "./session.js";

/** @import { Backoff } from "./backoff.js" */
/** @import { SocketClass } from "./connection.js" */
/** @import { SpeechOptions } from "./options.js" */

/** Audio that may be on its way by default: 8 s of raw samples. */
const UNACKNOWLEDGED_BYTES = 262_144;
const OPEN_SECONDS = 10;
const RESPONSE_SECONDS = 60;
/** A recording may wait for a slot so long before its first message is acknowledged. */
const UPLOAD_RESPONSE_SECONDS = 600;

/**
 * @typedef {object} ConnectionOptions
 * @property {string} [key] Key or token that the gateway asks for. A key does not belong into a
 *   page: give that a `token`.
 * @property {() => string | Promise<string>} [token] Returns a short-lived token; it is called
 *   before each connection.
 * @property {AbortSignal} [signal] Ends the connecting and, later, the session at once.
 * @property {number} [openSeconds] Seconds for a connection to open (10).
 * @property {number} [responseSeconds] Seconds of silence to bear while the server owes an answer
 *   (60; for an upload 600). Then the connection counts as broken.
 * @property {number} [maxUnacknowledged] Bytes of audio that may be sent ahead of acknowledgements
 *   (262,144). As much is kept, to be sent again.
 * @property {boolean} [reconnect] Whether to connect again after a break (true).
 * @property {number} [reconnectSeconds] For how long to try; by default as long as the server waits.
 * @property {"throw" | "continue"} [onLost] What to do if the server has lost the session, and
 *   words with it: throw a `SessionLost` (the default), or go on in a new session, with an event
 *   `restarted` that says how much is lost. Without an `encoding` it is always thrown.
 * @property {Backoff} [backoff] The waits between tries.
 * @property {SocketClass} [WebSocket] The class to connect with, by default the platform's. Node 20
 *   has none: pass that of the package `ws`.
 *
 * @typedef {SpeechOptions & ConnectionOptions} Options
 */

/**
 * Opens a session with a gateway.
 *
 * If the connection breaks, the session connects again and goes on. No word is lost or doubled
 * where the audio is `linear16` at 16 kHz, mono. The first connection is tried once.
 * @param {string | URL} url Address of the gateway, such as `ws://localhost:8000`.
 * @param {Options} options
 */
export async function connect(url, options = {}) {
  const signal = options.signal ?? new AbortController().signal;
  const openSeconds = options.openSeconds ?? OPEN_SECONDS;
  const dialer = new Dialer(url, options, keyOf(options), openSeconds, options.WebSocket);
  const { connection, opened } = await dialer.open(null, signal);
  const protocol = new Protocol(
    options.maxUnacknowledged ?? UNACKNOWLEDGED_BYTES,
    bytesPerSecond(options),
    options.onLost === "continue",
  );
  protocol.identity.take(opened);
  const patience = options.reconnect === false ? 0 : (options.reconnectSeconds ?? null);
  const reconnector = new Reconnector(dialer, protocol, patience, options.backoff ?? {});
  const usual = options.upload === true ? UPLOAD_RESPONSE_SECONDS : RESPONSE_SECONDS;
  return new Session(connection, protocol, reconnector, options.responseSeconds ?? usual, signal);
}

/** @param {Options} options */
function keyOf({ key, token }) {
  return async () => (token === undefined ? (key ?? null) : token());
}
