/**
 * What went wrong, in plain words, and what to do about it.
 *
 * A browser hides why a handshake was refused. So the same address is asked once more, by a plain
 * GET: the gateway answers it as the handshake.
 */

const ANSWER_TIMEOUT_MS = 5000;
const WOULD_BE_ACCEPTED = 426;
const TRY_LATER = [429, 503];
export const NEEDS_KEY = 401;
export const OUT_OF_REACH =
  "The gateway cannot be reached. Check that it runs and that the network is up, then reconnect.";

/** What a close code means, and whether connecting again may help. */
const CLOSES = new Map([
  [1000, ["The gateway ended the session.", true]],
  [1001, ["No audio came for a while, so the gateway closed the session.", true]],
  [1005, ["The gateway closed the session without saying why.", true]],
  [1006, [
    "The connection was lost: the network failed or the gateway stopped. Words that were not " +
    "yet final are lost.",
    true,
  ]],
  [1007, ["The gateway could not read the audio. Send wav, flac, mp3, ogg, webm or m4a.", false]],
  [1008, ["The gateway does not allow this session. Check the language under Options.", false]],
  [1009, [
    "The gateway takes smaller messages than this page sends; its operator should raise " +
    "MAX_AUDIO_SIZE to 16384 or more.",
    false,
  ]],
  [1011, ["Something failed inside the service. If it happens again, tell its operator.", true]],
  [1012, [
    "The gateway is restarting, or nobody has this session's model any more. Reconnect to go on " +
    "in a new session.",
    true,
  ]],
  [1013, ["The service has no free capacity. Wait a few seconds, then reconnect.", true]],
]);

/** Explains a connection that was open: `{text, retry}`. `failure` is the gateway's last error. */
export function explainClose({ code, reason }, failure) {
  const [words, retry] = CLOSES.get(code) ?? ["The gateway closed the session.", true];
  const said = failure ?? (reason === "" ? null : reason);
  const quoted = said === null ? "" : ` The gateway says: ${sentence(said)}`;
  return { text: `${words}${quoted} (Close code ${code}.)`, retry };
}

/**
 * Explains a connection that never opened: `{text, status}`; the status is null without an answer.
 *
 * @param {string} url The WebSocket's address.
 * @param {Record<string, string>} headers With the key, where access needs one.
 */
export async function explainRefusal(url, headers = {}) {
  const asked = new URL(url);
  asked.protocol = asked.protocol === "wss:" ? "https:" : "http:";
  let response;
  let said;
  try {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    response = await fetch(asked, { cache: "no-store", headers, signal });
    said = spoken(await response.text());
  } catch {
    return { text: OUT_OF_REACH, status: null };
  }
  return { text: refused(response, said), status: response.status };
}

function refused(response, said) {
  if (response.status === WOULD_BE_ACCEPTED) {
    return (
      "The connection could not be opened, though the gateway would accept it now. Reconnect; if " +
      "that fails again, check whether a proxy in between lets WebSockets through."
    );
  }
  if (response.status === NEEDS_KEY) {
    return `This gateway asks for a key. Give one under Options, then connect. It says: ${said}`;
  }
  if (!TRY_LATER.includes(response.status)) {
    return `The gateway refused this session (${response.status}): ${said}`;
  }
  const wait = response.headers.get("Retry-After");
  const advice = wait === null ? "Wait a little" : `Wait ${wait} s`;
  return `The gateway takes no sessions now (${response.status}): ${said} ${advice}, then reconnect.`;
}

/** Explains why the browser gave no microphone. */
export function explainMicrophone(error) {
  switch (error.name) {
    case "NotAllowedError":
      return "The browser was not allowed to use the microphone. Allow it for this page (beside the address) and start again.";
    case "NotFoundError":
      return "There is no microphone on this machine. Plug one in and start again.";
    case "NotReadableError":
      return "The microphone is in use by another program. Close that and start again.";
    default:
      return `The microphone does not work: ${sentence(error.message)}`;
  }
}

/** The text, ended like a sentence. */
export function sentence(text) {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** What a body says: the error or status of JSON, or the plain text. */
function spoken(body) {
  let said = body.trim();
  try {
    const value = JSON.parse(body);
    const told = value.error ?? value.reason ?? value.detail ?? value.status;
    if (typeof told === "string") said = told;
  } catch {
    // plain text is shown as it is
  }
  return said === "" ? "" : sentence(said.slice(0, 300));
}
