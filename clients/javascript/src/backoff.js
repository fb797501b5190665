/**
 * When a broken connection is tried again, and when it is given up: pure but for chance.
 *
 * The waits grow and are random, so that clients which lost the same gateway do not come back at
 * the same moment. All times are seconds.
 */

import { CannotConnect, ConnectionLost, Refused, SessionFailed, TokenFailed } from "./errors.js";

/** How long to try where the server does not say how long it waits. */
export const DEFAULT_WINDOW = 30;

/** Failures of a session that another gateway, or some time, may mend. */
export const PASSING_FAILURES = ["draining", "no_capacity", "broker_unavailable", "internal"];

/** Failures that end a session, and not the stream: a new session may go on with it. */
export const LOSING_FAILURES = ["session_lost", "model_gone"];

/** Close codes that a new connection would meet again: done, or our own fault. */
const LASTING_CLOSES = [1000, 1002, 1003, 1007, 1008, 1009, 1010];
const PASSING_STATUSES = [408, 425, 429, 500, 502, 503, 504];

/** A connection that lived for so long was a good one, even if nothing was said on it. */
const STABLE = 10;

/**
 * Returns true if trying again can help.
 * @param {unknown} error
 */
export function mayPass(error) {
  if (error instanceof ConnectionLost) return !LASTING_CLOSES.includes(error.code);
  if (error instanceof SessionFailed) {
    return PASSING_FAILURES.includes(error.code) || LOSING_FAILURES.includes(error.code);
  }
  if (error instanceof Refused) return PASSING_STATUSES.includes(error.status);
  return error instanceof CannotConnect || error instanceof TokenFailed;
}

/**
 * How long to wait before each try.
 *
 * @typedef {object} Backoff
 * @property {number} [first] Bound of the first wait; doubled with each further one.
 * @property {number} [longest] No wait is longer.
 * @property {number} [prompt] Bound of the first wait after the server asked to connect again.
 * @property {() => number} [jitter] Returns a number from 0 to 1; a wait is so much of its bound.
 */

/**
 * Returns the wait before try number `attempt`, counted from 1.
 * @param {Backoff} backoff
 * @param {number} attempt
 * @param {boolean} isPrompt Whether the server asked to connect again.
 */
export function delayOf(backoff, attempt, isPrompt = false) {
  const { first = 0.5, longest = 5, prompt = 0.1, jitter = Math.random } = backoff;
  if (isPrompt && attempt === 1) return prompt * jitter();
  return Math.min(longest, first * 2 ** (attempt - 1)) * jitter();
}

/** The time since which nothing has come of any connection. */
export class Outage {
  /** Number of the last try. */
  attempt = 0;
  #backoff;
  #mark;
  /** @type {number | null} */
  #connectedAt = null;

  /**
   * @param {Backoff} backoff The waits.
   * @param {number} began When the connection broke.
   * @param {string} mark How far the session was then. A later break at the same mark is the same
   *   outage.
   */
  constructor(backoff, began, mark) {
    this.began = began;
    this.#backoff = backoff;
    this.#mark = mark;
  }

  /**
   * Records that a try succeeded.
   * @param {number} now
   */
  connected(now) {
    this.#connectedAt = now;
  }

  /**
   * Returns true if a break now still belongs to it: nothing was achieved since.
   * @param {number} now
   * @param {string} mark
   */
  goesOn(now, mark) {
    if (this.#connectedAt === null || this.#mark !== mark) return false;
    return now - this.#connectedAt < STABLE;
  }

  /**
   * Returns the wait before the next try, or null to give up. There is always one try.
   * @param {number} now
   * @param {number} patience Time after which to give up.
   * @param {{ prompt?: boolean, retryAfter?: number | null }} asked What the server asked for.
   */
  nextDelay(now, patience, { prompt = false, retryAfter = null } = {}) {
    this.attempt += 1;
    const delay = delayOf(this.#backoff, this.attempt, prompt);
    if (this.attempt === 1) return delay;
    const left = this.began + patience - now;
    if (left <= 0 || (retryAfter ?? 0) > left) return null;
    return Math.min(left, Math.max(delay, retryAfter ?? 0));
  }
}
