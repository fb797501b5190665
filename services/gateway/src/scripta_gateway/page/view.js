/**
 * The transcript on the page: finals as lines, the interim in place below them.
 */

const element = (id) => document.getElementById(id);

/** Seconds as m:ss.s. */
export function clock(seconds) {
  const tenths = Math.round((Number.isFinite(seconds) ? seconds : 0) * 10);
  const minutes = Math.floor(tenths / 600);
  return `${minutes}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}

export class Transcript {
  #finals = element("finals");
  #stable = element("stable");
  #unstable = element("unstable");
  #heardUntil = 0;
  #open = { text: "", start: 0, end: 0 };
  #kept = [];
  /** Where the session's audio begins behind that of the sessions before, in seconds. */
  #offset = 0;

  /** Starts a session: its audio clock is at 0, and nothing of the last one is revisable. */
  begin(session) {
    this.interrupt();
    this.#heardUntil = 0;
    this.#offset = this.#kept.at(-1)?.end ?? 0;
    if (this.#finals.children.length === 0) return;
    const line = document.createElement("li");
    line.className = "session";
    line.textContent = `Session ${session}`;
    this.#append(line);
  }

  /** Shows the interim; one that a final has overtaken is ignored. */
  interim({ text = "", stable = "", start, end }) {
    if (end <= this.#heardUntil) return;
    const kept = text.startsWith(stable) ? stable : "";
    // An engine ends each guess like a sentence; as long as that may change, it is no news.
    const unstable = text.slice(kept.length).replace(/[.。]$/, "");
    this.#open = { text: kept + unstable, start, end };
    this.#setInterim(kept, unstable);
  }

  /** Adds a line for the final; returns false if nothing was said. */
  final({ text, start, end, words = [] }) {
    this.#heardUntil = end ?? this.#heardUntil;
    this.#forgetOpen();
    if (text === "") return false;
    this.#keep({ text, start, end, words }, "");
    return true;
  }

  /** Keeps the open words, marked: the session is over, and no final of them comes. */
  interrupt() {
    const { text, start, end } = this.#open;
    this.#forgetOpen();
    if (text !== "") this.#keep({ text, start, end, words: [] }, "cut off");
  }

  /** All finals, and what was cut off, with times that grow from session to session. */
  get finals() {
    return this.#kept;
  }

  /** The same as text, one a line. */
  text() {
    return this.#kept.map(({ text }) => text).join("\n");
  }

  clear() {
    this.#finals.replaceChildren();
    this.#kept = [];
    this.#offset = 0;
    this.#forgetOpen();
  }

  #forgetOpen() {
    this.#open = { text: "", start: 0, end: 0 };
    this.#setInterim("", "");
  }

  #keep({ text, start, end, words }, mark) {
    const moved = (part) => ({ ...part, start: part.start + this.#offset, end: part.end + this.#offset });
    this.#kept.push({ ...moved({ text, start, end }), words: words.map(moved) });
    const line = document.createElement("li");
    const time = document.createElement("time");
    time.textContent = clock(start);
    const said = document.createElement("p");
    said.textContent = text;
    line.append(time, said);
    if (mark !== "") {
      line.className = "open";
      const small = document.createElement("small");
      small.textContent = mark;
      line.append(small);
    }
    this.#append(line);
  }

  #setInterim(stable, unstable) {
    this.#following(() => {
      this.#stable.textContent = stable;
      this.#unstable.textContent = unstable;
    });
  }

  #append(line) {
    this.#following(() => this.#finals.append(line));
  }

  /** Changes the page and stays at its end, unless the reader has scrolled up. */
  #following(change) {
    const root = document.documentElement;
    const atEnd = root.scrollHeight - root.scrollTop - root.clientHeight < 40;
    change();
    if (atEnd) root.scrollTop = root.scrollHeight;
  }
}

/** Puts text on the clipboard; false if the browser lets no page do that here. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** The only way on pages that are neither https nor localhost. */
function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.readOnly = true;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}
