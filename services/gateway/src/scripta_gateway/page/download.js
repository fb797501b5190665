/**
 * The transcript as a file: text, subtitles or JSON.
 */

const TYPES = {
  txt: "text/plain",
  srt: "application/x-subrip",
  vtt: "text/vtt",
  json: "application/json",
};

/** Seconds as hh:mm:ss with milliseconds behind `mark`. */
function stamp(seconds, mark) {
  const ms = Math.round(seconds * 1000);
  const part = (value, digits = 2) => String(Math.floor(value)).padStart(digits, "0");
  const time = [part(ms / 3_600_000), part((ms / 60_000) % 60), part((ms / 1000) % 60)].join(":");
  return `${time}${mark}${part(ms % 1000, 3)}`;
}

/** One blank-line separated cue for each final; `>` can not end a cue's time early. */
function cues(finals, mark, numbered) {
  return finals
    .map(({ text, start, end }, at) => {
      const number = numbered ? `${at + 1}\n` : "";
      const words = numbered ? text : text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
      return `${number}${stamp(start, mark)} --> ${stamp(end, mark)}\n${words}\n`;
    })
    .join("\n");
}

/**
 * @param {"txt" | "srt" | "vtt" | "json"} format
 * @param {{text: string, start: number, end: number}[]} finals With times that only grow.
 * @returns {string} The file's content.
 */
export function written(format, finals) {
  switch (format) {
    case "srt":
      return cues(finals, ",", true);
    case "vtt":
      return `WEBVTT\n\n${cues(finals, ".", false)}`;
    case "json":
      return `${JSON.stringify(finals, null, 2)}\n`;
    default:
      return finals.map(({ text }) => `${text}\n`).join("");
  }
}

/** Lets the browser save the finals as `transcript.FORMAT`. */
export function download(format, finals) {
  const link = document.createElement("a");
  const blob = new Blob([written(format, finals)], { type: TYPES[format] });
  link.href = URL.createObjectURL(blob);
  link.download = `transcript.${format}`;
  link.click();
  URL.revokeObjectURL(link.href);
}
