/**
 * Everything that can go wrong, as one tree of errors. Each text is one line that says what to do.
 *
 *     ScriptaError
 *     ├── InvalidUrl               the address is not one of a gateway
 *     ├── WebSocketMissing         this program has no WebSocket
 *     ├── ConnectError             there is no session
 *     │   ├── CannotConnect        nobody answered, or not as a gateway does
 *     │   ├── TokenFailed          the callback that fetches a token failed
 *     │   └── Refused              the gateway answered no
 *     ├── SessionError             there was a session, and it did not end well
 *     │   ├── ConnectionLost       the connection closed in mid-stream
 *     │   ├── ReconnectFailed      … and no other came about in time
 *     │   ├── SessionLost          … and the server does not have the session any more
 *     │   ├── SessionFailed        the server gave the session up
 *     │   ├── ServerSilent         the server owed an answer for too long
 *     │   ├── ProtocolViolation    the peer does not speak this protocol
 *     │   └── ResultsUnread        nobody iterated over the session
 *     ├── MicrophoneUnavailable    there is no microphone, or it went away
 *     └── UndecodableFile          the browser can not decode a file
 */

/** Base of all errors of this package. */
export class ScriptaError extends Error {
  /** @override */
  get name() {
    return this.constructor.name;
  }
}

export class InvalidUrl extends ScriptaError {}

export class WebSocketMissing extends ScriptaError {
  constructor() {
    super(
      "there is no WebSocket here: install the package ws and pass its class as the option " +
        "WebSocket, or use Node 22 or newer",
    );
  }
}

/** There is no session: the gateway was not reached or said no. */
export class ConnectError extends ScriptaError {}

export class CannotConnect extends ConnectError {
  /**
   * @param {string} host The host that was tried, with its port.
   * @param {string} hint What is the matter and what to do.
   */
  constructor(host, hint) {
    super(`cannot connect to ${host}: ${hint}`);
    this.host = host;
    this.hint = hint;
  }
}

export class TokenFailed extends ConnectError {
  /** @param {unknown} cause What the callback threw. */
  constructor(cause) {
    super(`the callback for a token failed: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}

export class Refused extends ConnectError {
  /**
   * @param {number} status The HTTP status.
   * @param {string} said What the server says.
   * @param {number | null} retryAfter Seconds after which to try again, where the server says so.
   * @param {number | null} index The last final that the session has, where the client has more.
   */
  constructor(status, said, retryAfter = null, index = null) {
    const again = retryAfter === null ? "" : `; try again in ${retryAfter} s`;
    super(`refused: ${said} (HTTP ${status})${again}`);
    this.status = status;
    this.said = said;
    this.retryAfter = retryAfter;
    this.index = index;
  }
}

/** There was a session, and it did not end well. */
export class SessionError extends ScriptaError {}

/** @type {Record<number, string>} */
const ADVICE = {
  1001: "no audio came for too long",
  1006: "the connection broke off",
  1007: "the server could not read the audio",
  1008: "the server does not allow this",
  1009: "a message was too large for the server",
  1011: "the server had an internal error; its log says more",
  1012: "the server is restarting; try again",
  1013: "the server has no capacity; try again later",
};

export class ConnectionLost extends SessionError {
  /**
   * @param {number} code The WebSocket's close code; 1006 where the peer said none.
   * @param {string} reason The reason that the server gave; may be empty.
   */
  constructor(code, reason) {
    const why = reason || ADVICE[code] || "the server ended before the audio was over";
    super(`connection closed in mid-stream: ${why} (code ${code})`);
    this.code = code;
    this.reason = reason;
  }
}

export class ReconnectFailed extends SessionError {
  /**
   * @param {number} seconds How long it was tried.
   * @param {Error} cause Why the last try failed.
   * @param {number} unsentBytes Audio that was sent and not acknowledged.
   * @param {number | null} secondsLost Audio that was acknowledged and has no words yet, at most;
   *   null where a length is not known.
   */
  constructor(seconds, cause, unsentBytes, secondsLost) {
    super(
      `no connection for ${seconds.toFixed(0)} s: ${cause.message}; ` +
        `${unsentBytes} bytes of audio are not sent, ${lost(secondsLost)}`,
      { cause },
    );
    this.seconds = seconds;
    this.unsentBytes = unsentBytes;
    this.secondsLost = secondsLost;
  }
}

/** @type {Record<string, string>} */
const REASONS = {
  unknown: "the server does not know it any more",
  mid_file: "the connection broke within audio that the server can not take up in the middle",
  behind: "the server does not keep the results any more that were missed",
  failed: "it failed on the server",
  ended: "the server had ended it meanwhile",
  audio_missing: "audio that was acknowledged is gone",
};

export class SessionLost extends SessionError {
  /**
   * @param {string} reason `unknown`, `mid_file`, `behind`, `failed`, `ended`, `session_lost`,
   *   `model_gone` or `audio_missing`.
   * @param {number | null} secondsLost Audio that was acknowledged and whose words will not come,
   *   at most; null where a length is not known.
   * @param {string} said What the server says; empty where it gave no more than the reason.
   */
  constructor(reason, secondsLost, said = "") {
    const why = said || REASONS[reason] || reason;
    super(`the session is lost: ${why} (${reason}); ${lost(secondsLost)}`);
    this.reason = reason;
    this.secondsLost = secondsLost;
    this.said = said;
  }
}

export class SessionFailed extends SessionError {
  /**
   * @param {string} code Stable name of the error.
   * @param {string} said What the server says.
   */
  constructor(code, said) {
    super(`session failed: ${said} (${code})`);
    this.code = code;
    this.said = said;
  }
}

export class ServerSilent extends SessionError {
  /** @param {number} seconds How long it was waited. */
  constructor(seconds) {
    super(`no answer from the server for ${seconds} s; is a transcriber running?`);
    this.seconds = seconds;
  }
}

export class ProtocolViolation extends SessionError {
  /** @param {string} problem */
  constructor(problem) {
    super(`the server does not speak this protocol: ${problem}`);
    this.problem = problem;
  }
}

export class ResultsUnread extends SessionError {
  /** @param {number} count Results that wait. */
  constructor(count) {
    super(`${count} results are unread: iterate over the session while sending`);
    this.count = count;
  }
}

export class MicrophoneUnavailable extends ScriptaError {}

export class UndecodableFile extends ScriptaError {}

/** @param {number | null} seconds */
function lost(seconds) {
  if (seconds === null) return "words for what was acknowledged may be missing";
  return `words for at most ${seconds.toFixed(1)} s of what was acknowledged are missing`;
}
