/**
 * Why a handshake was refused.
 *
 * A browser hides that from its pages, and so does Node's own WebSocket. The same address is asked
 * once more by a plain GET, which the gateway answers as it answers the handshake.
 */

import { CannotConnect, Refused } from "./errors.js";

/** @import { ConnectError } from "./errors.js" */

const WOULD_BE_ACCEPTED = 426;
const ANSWER_MS = 5000;
/** What sockets say that have an HTTP answer which they do not show. */
const ANSWERED = /^Unexpected server response|non-101 status|^$/;

/**
 * Returns what is the matter with an address whose WebSocket did not open.
 * @param {string} url The WebSocket's address.
 * @param {string | null} key
 * @param {string} problem What the socket said; may be empty.
 * @returns {Promise<ConnectError>}
 */
export async function refusal(url, key, problem) {
  const { host } = new URL(url);
  if (!ANSWERED.test(problem)) {
    return new CannotConnect(host, `nobody answers there (${problem}); ${CHECK}`);
  }
  const answer = await asked(url.replace(/^ws/, "http"), key);
  if (answer === null) return new CannotConnect(host, `nobody answers there; ${CHECK}`);
  const { status, headers, body } = answer;
  if (status === WOULD_BE_ACCEPTED) return new CannotConnect(host, ACCEPTED_NOW);
  if (status < 400) return new CannotConnect(host, NO_GATEWAY);
  return refused(status, body, headers.get("Retry-After"), Date.now() / 1000);
}

const CHECK = "check the address, that the gateway runs, and that it allows this page";
const NO_GATEWAY = "what listens there is not a gateway; check host, port and path";
const ACCEPTED_NOW =
  "the gateway would accept the session now; if that comes again, check whether a proxy lets " +
  "WebSockets through";

/**
 * Returns the answer to a plain GET, null if there is none in time.
 * @param {string} url
 * @param {string | null} key
 */
async function asked(url, key) {
  const late = new AbortController();
  // The timer of AbortSignal.timeout would not keep a program in Node from ending meanwhile.
  const timer = setTimeout(() => late.abort(), ANSWER_MS);
  try {
    return await fetched(url, key, late.signal);
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {string} url
 * @param {string | null} key
 * @param {AbortSignal} signal
 */
async function fetched(url, key, signal) {
  const headers = new Headers(key === null ? {} : { Authorization: `Bearer ${key}` });
  const response = await fetch(url, { cache: "no-store", redirect: "manual", headers, signal });
  return { status: response.status, headers: response.headers, body: await response.text() };
}

/**
 * Returns a refusal as the answer tells it.
 * @param {number} status
 * @param {string} body
 * @param {string | null} retryAfter The header of this name.
 * @param {number} now Seconds since 1970.
 */
export function refused(status, body, retryAfter, now) {
  let said = body;
  let index = null;
  try {
    const content = JSON.parse(body);
    said = String(content.error ?? content.detail ?? body);
    index = content.index;
  } catch {
    // plain text is told as it is
  }
  const told = said.split(/\s+/).join(" ").trim().slice(0, 300) || "no reason given";
  const known = Number.isInteger(index) && index >= 0;
  return new Refused(status, told, seconds(retryAfter, now), known ? index : null);
}

/**
 * Returns the seconds of a `Retry-After` header, given as such or as a date.
 * @param {string | null} value
 * @param {number} now
 */
function seconds(value, now) {
  if (value === null) return null;
  if (/^\s*\d+\s*$/.test(value)) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, Math.round(date / 1000 - now));
}
