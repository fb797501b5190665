/**
 * Why a handshake was refused.
 *
 * A browser hides that from its pages, and so does Node's own WebSocket. The same address is asked
 * once more by a plain GET, which the gateway answers as it answers the handshake.
 */

import { CannotConnect, Refused } from "./errors.js";

/** @import { ConnectError } from "./errors.js" */

const WOULD_BE_ACCEPTED = 426;

/**
 * Returns what is the matter with an address whose WebSocket did not open.
 * @param {string} url The WebSocket's address.
 * @param {string | null} key
 * @param {AbortSignal} signal
 * @returns {Promise<ConnectError>}
 */
export async function refusal(url, key, signal) {
  const { host } = new URL(url);
  /** @type {Response} */
  let response;
  let body;
  try {
    response = await fetch(url.replace(/^ws/, "http"), {
      cache: "no-store",
      redirect: "manual",
      headers: key === null ? {} : { Authorization: `Bearer ${key}` },
      signal,
    });
    body = await response.text();
  } catch {
    return new CannotConnect(
      host,
      "nobody answers there; check the address, that the gateway runs, and that it allows this page",
    );
  }
  if (response.status === WOULD_BE_ACCEPTED) {
    const hint = "the gateway would accept the session now; if that comes again, check whether a proxy lets WebSockets through";
    return new CannotConnect(host, hint);
  }
  if (response.status < 400) {
    return new CannotConnect(host, "what listens there is not a gateway; check host, port and path");
  }
  return refused(response.status, body, response.headers.get("Retry-After"), Date.now() / 1000);
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
