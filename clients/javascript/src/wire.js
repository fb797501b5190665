/**
 * The frames of the native protocol, as pure functions.
 *
 * A frame is text in JSON. What a newer server adds is ignored; what is missing or of the wrong
 * type is a violation.
 */

import { ProtocolViolation } from "./errors.js";

/** @import { Ended, Final, GoingAway, Interim, Warning, Word } from "./events.js" */

/**
 * @typedef {{ type: "received", size: number }} Received An audio message is accepted.
 *
 * @typedef {object} Opened The first frame of a connection: which session it has.
 * @property {"session"} type
 * @property {string} session The session's id.
 * @property {number} clientId The number in each of its results.
 * @property {boolean} resumed Whether it is the session that was asked for.
 * @property {number} received Audio messages of it that were accepted so far.
 * @property {number | null} resumeSeconds How long it waits for a client whose connection broke.
 * @property {string} reason Why it is not the session that was asked for; else empty.
 * @property {string} token What takes the session up again; empty where it was told before.
 * @property {string[]} ignored Query parameters that the server does not know.
 *
 * @typedef {object} Failure An error of one message, or with a code of the whole session.
 * @property {"error"} type
 * @property {string} message
 * @property {string | null} code
 * @property {number | null} refusedOver It refuses the oldest audio message of more than so many
 *   bytes; null: no audio.
 *
 * @typedef {Received | Opened | Failure | Final | Interim | Warning | GoingAway | Ended} Frame
 */

/**
 * Returns what a frame from the server says, or null for a kind that is not known here.
 * @param {unknown} data
 * @returns {Frame | null}
 */
export function parse(data) {
  if (typeof data !== "string") throw new ProtocolViolation("it sent a binary message");
  const frame = new Fields(objectIn(data));
  switch (frame.content.status) {
    case "received":
      return { type: "received", size: frame.integer("size") };
    case "transcript":
      return final(frame);
    case "interim":
      return {
        type: "interim",
        text: frame.text("text"),
        stable: frame.text("stable", ""),
        start: frame.number("start"),
        end: frame.number("end"),
      };
    case "error":
      return failure(frame);
    case "session":
      return opened(frame);
    case "warning":
      return { type: "warning", message: frame.text("warning") };
    case "going_away":
      return { type: "going_away" };
    case "ended":
      return { type: "ended", duration: frame.number("duration") };
    default:
      return null;
  }
}

/**
 * @param {string} data
 * @returns {Record<string, unknown>}
 */
function objectIn(data) {
  let content = null;
  try {
    content = JSON.parse(data);
  } catch {
    // what follows says it
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new ProtocolViolation(`it sent ${JSON.stringify(data.slice(0, 80))}`);
  }
  return content;
}

/**
 * @param {Fields} frame
 * @returns {Failure}
 */
function failure(frame) {
  const message = frame.text("error");
  const limit = /^Audio data too large \(max (\d+) bytes\)/.exec(message)?.[1];
  const refusesAll = message.startsWith("Audio ") ? -1 : null;
  const refusedOver = limit === undefined ? refusesAll : Number(limit);
  return { type: "error", message, code: frame.text("code", "") || null, refusedOver };
}

/**
 * @param {Fields} frame
 * @returns {Opened}
 */
function opened(frame) {
  const { resume_seconds: waits, resumed, ignored } = frame.content;
  return {
    type: "session",
    session: frame.text("session"),
    clientId: frame.integer("client_id"),
    resumed: resumed === true,
    received: frame.integer("received", 0),
    resumeSeconds: waits === undefined || waits === null ? null : frame.number("resume_seconds"),
    reason: frame.text("reason", ""),
    token: frame.text("token", ""),
    ignored: Array.isArray(ignored) ? ignored.map(String) : [],
  };
}

/**
 * @param {Fields} frame
 * @returns {Final}
 */
function final(frame) {
  const { confidence } = frame.content;
  return {
    type: "final",
    index: frame.integer("index"),
    text: frame.text("text"),
    start: frame.number("start"),
    end: frame.number("end"),
    reason: frame.text("reason", ""),
    words: frame.items("words").map(word),
    wordsEstimated: frame.content.words_estimated === true,
    confidence: confidence === undefined || confidence === null ? null : frame.number("confidence"),
    language: frame.text("language", "") || null,
  };
}

/**
 * @param {Fields} item
 * @returns {Word}
 */
function word(item) {
  return { word: item.text("word"), start: item.number("start"), end: item.number("end") };
}

/** The keys of a JSON object, read with the type that they must have. */
class Fields {
  /** @param {Record<string, unknown>} content */
  constructor(content) {
    this.content = content;
  }

  /**
   * @param {string} name
   * @param {string} [missing] What it is where it is missing.
   */
  text(name, missing) {
    const value = this.content[name] ?? missing;
    if (typeof value !== "string") throw this.#wrong(name);
    return value;
  }

  /** @param {string} name */
  number(name) {
    const value = this.content[name];
    if (typeof value !== "number") throw this.#wrong(name);
    return value;
  }

  /**
   * @param {string} name
   * @param {number} [missing]
   */
  integer(name, missing) {
    const value = this.content[name] ?? missing;
    // A client's number may be beyond what a JavaScript number has exactly.
    if (typeof value !== "number" || !Number.isInteger(value)) throw this.#wrong(name);
    return value;
  }

  /**
   * @param {string} name
   * @returns {Fields[]}
   */
  items(name) {
    const value = this.content[name] ?? [];
    const good = Array.isArray(value) && value.every((item) => typeof item === "object" && item);
    if (!good) throw this.#wrong(name);
    return value.map((/** @type {Record<string, unknown>} */ item) => new Fields(item));
  }

  /** @param {string} name */
  #wrong(name) {
    const status = this.content.status ?? "word";
    return new ProtocolViolation(`"${name}" of a "${status}" frame is missing or of a wrong type`);
  }
}
