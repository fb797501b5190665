/** Streams speech to a Scripta gateway and gives back words. */

export { connect } from "./connect.js";
export * from "./errors.js";
export { sendFile } from "./send-file.js";
export { Session } from "./session.js";

/**
 * @typedef {import("./connect.js").Options} Options
 * @typedef {import("./backoff.js").Backoff} Backoff
 * @typedef {import("./events.js").SessionEvent} SessionEvent
 * @typedef {import("./events.js").Final} Final
 * @typedef {import("./events.js").Interim} Interim
 * @typedef {import("./events.js").Word} Word
 */
