/**
 * One connection to the gateway in its native dialect.
 *
 * Counts what was sent and what the gateway answered. Every audio message is answered once, in
 * order, so what is unanswered is known exactly and is bounded: a sender waits for `answered()`,
 * or is told by `send()` that there is no room. After `closed` nothing else is dispatched.
 *
 * Events: `open`, `session`, `interim`, `final`, `refused`, `failed`, `going_away`, `warning`, `ended`
 * (with the gateway's message as detail), `traffic` (a count changed) and `closed` (`{url, code,
 * reason, opened, asked}`; `asked` when this side closed).
 */

const CONNECT_TIMEOUT_MS = 15_000;

/** Unanswered bytes at which `send` refuses: 32 s of microphone audio. */
export const MAX_UNANSWERED_BYTES = 1024 * 1024;

/** The connection ended while something waited for it. */
export class SessionClosed extends Error {}

/** The address of the gateway's WebSocket beside the page, with the options that are set. */
export function sessionUrl(base, options) {
  const url = new URL("ws", base);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.searchParams.set("interim_results", "true");
  url.searchParams.set("events", "true");
  for (const [name, value] of Object.entries(options)) {
    if (value !== "") url.searchParams.set(name, value);
  }
  return url;
}

export class Session extends EventTarget {
  /** Messages and bytes: all that was sent, and of that what the gateway has accepted. */
  sent = { messages: 0, bytes: 0 };
  received = { messages: 0, bytes: 0 };

  #socket;
  #timer;
  #unanswered = [];
  #unansweredBytes = 0;
  #opened = false;
  #closed = false;

  /**
   * @param {URL} url
   * @param {string} key What access needs, or "".
   */
  constructor(url, key = "") {
    super();
    // A browser lets no page set a header here, so a key goes as a subprotocol.
    this.#socket = new WebSocket(url, key === "" ? [] : ["bearer", key]);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => this.#onOpen();
    this.#socket.onmessage = (event) => this.#onMessage(event.data);
    this.#socket.onclose = (event) => this.#onClose(event.code, event.reason, false);
    this.#timer = setTimeout(() => {
      this.#onClose(1006, "no answer in time", false);
    }, CONNECT_TIMEOUT_MS);
  }

  /** Whether audio can be sent. */
  get open() {
    return this.#opened && !this.#closed;
  }

  /** Sends one audio message; false if the session is closed or too much is unanswered. */
  send(bytes) {
    const size = bytes.byteLength;
    if (!this.open || this.#unansweredBytes + size > MAX_UNANSWERED_BYTES) return false;
    this.#socket.send(bytes);
    this.#unanswered.push(size);
    this.#unansweredBytes += size;
    this.sent.messages += 1;
    this.sent.bytes += size;
    this.#emit("traffic");
    return true;
  }

  /** Asks for the final of what was said so far. */
  finalize() {
    this.#command("finalize");
  }

  /** Asks for the last finals and the close that follows them. */
  end() {
    this.#command("end");
  }

  /** Closes at once, without waiting for results. */
  disconnect() {
    this.#onClose(1000, "", true);
  }

  /** Resolves when at most `count` messages are unanswered; rejects on close and on abort. */
  async answered(count, signal) {
    while (this.#unanswered.length > count) {
      signal.throwIfAborted();
      if (this.#closed) throw new SessionClosed();
      await this.#change(signal);
    }
    signal.throwIfAborted();
    if (this.#closed) throw new SessionClosed();
  }

  #change(signal) {
    return new Promise((resolve) => {
      const settled = new AbortController();
      const settle = () => {
        settled.abort();
        resolve();
      };
      for (const [target, name] of [[this, "traffic"], [this, "closed"], [signal, "abort"]]) {
        target.addEventListener(name, settle, { signal: settled.signal });
      }
    });
  }

  #command(type) {
    if (this.open) this.#socket.send(JSON.stringify({ type }));
  }

  #onOpen() {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#opened = true;
    this.#emit("open");
  }

  #onMessage(data) {
    if (this.#closed) return;
    let message = null;
    try {
      message = JSON.parse(data);
    } catch {
      console.warn("not JSON from the gateway");
    }
    switch (message?.status) {
      case "received":
        this.received.messages += 1;
        this.received.bytes += message.size;
        this.#answer();
        break;
      case "transcript":
        this.#emit("final", message);
        break;
      case "error":
        this.#onError(message);
        break;
      case "session":
      case "interim":
      case "going_away":
      case "warning":
      case "ended":
        this.#emit(message.status, message);
        break;
      default: // a later gateway may say more than this page knows
    }
  }

  /** An error with a code ends the session; one without answers a message of this side. */
  #onError(message) {
    if (message.code !== undefined) {
      this.#emit("failed", message);
    } else {
      this.#emit("refused", message);
      this.#answer();
    }
  }

  #answer() {
    this.#unansweredBytes -= this.#unanswered.shift() ?? 0;
    this.#emit("traffic");
  }

  #onClose(code, reason, asked) {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket.close(1000);
    const url = this.#socket.url;
    this.#emit("closed", { url, code, reason, opened: this.#opened, asked });
  }

  #emit(name, detail = null) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
