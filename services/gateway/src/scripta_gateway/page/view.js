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

  /** Starts a session: its audio clock is at 0, and nothing of the last one is revisable. */
  begin(session) {
    this.#heardUntil = 0;
    this.#setInterim("", "");
    if (this.#finals.children.length === 0) return;
    const line = document.createElement("li");
    line.className = "session";
    line.textContent = `Session ${session}`;
    this.#append(line);
  }

  /** Shows the interim; one that a final has overtaken is ignored. */
  interim({ text = "", stable = "", end }) {
    if (end <= this.#heardUntil) return;
    const kept = text.startsWith(stable) ? stable : "";
    this.#setInterim(kept, text.slice(kept.length));
  }

  /** Adds a line for the final; returns false if nothing was said. */
  final({ text, start, end }) {
    this.#heardUntil = end ?? this.#heardUntil;
    this.#setInterim("", "");
    if (text === "") return false;
    const line = document.createElement("li");
    const time = document.createElement("time");
    time.textContent = clock(start);
    const words = document.createElement("p");
    words.textContent = text;
    line.append(time, words);
    this.#append(line);
    return true;
  }

  /** All finals, one a line. */
  text() {
    return Array.from(this.#finals.querySelectorAll("p"), (words) => words.textContent).join("\n");
  }

  clear() {
    this.#finals.replaceChildren();
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
