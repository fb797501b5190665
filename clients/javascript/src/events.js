/**
 * What iterating over a session yields. All times are seconds on the session's audio clock, which
 * starts at 0 with the first audio.
 *
 * @typedef {{ word: string, start: number, end: number }} Word One word and when it was said.
 *
 * @typedef {object} Final A permanent result: the words of one segment.
 * @property {"final"} type
 * @property {number} index Place among the session's finals: 1, 2, 3 … without a gap.
 * @property {string} text The words; empty where a boundary was asked for and nothing was said.
 * @property {number} start Start of the segment.
 * @property {number} end End of the segment.
 * @property {string} reason Why it ended: `endpoint`, `length`, `finalize`, `idle`, `end` or
 *   `message`.
 * @property {Word[]} words The words with their times; empty where the engine has none.
 * @property {boolean} wordsEstimated Whether the times of the words are estimated.
 * @property {number | null} confidence 0 to 1; null where the engine has none.
 * @property {string | null} language BCP-47 tag; null where it is not known.
 *
 * @typedef {object} Interim A revisable result for the segment that is being spoken.
 * @property {"interim"} type
 * @property {string} text The words so far.
 * @property {string} stable The beginning of `text` that later interims begin with.
 * @property {number} start Start of the segment.
 * @property {number} end End of the audio that is heard so far.
 *
 * @typedef {object} Warning Raw audio looks like something else.
 * @property {"warning"} type
 * @property {string} message
 *
 * @typedef {object} MessageRefused The server refused one message; the session goes on.
 * @property {"refused"} type
 * @property {string} message What the server says.
 * @property {number} bytes Bytes of audio that are lost by it; 0 where it was no audio.
 *
 * @typedef {{ type: "going_away" }} GoingAway The gateway is stopping and will close soon.
 *
 * @typedef {object} Reconnecting The connection broke; a new one is about to be tried.
 * @property {"reconnecting"} type
 * @property {number} attempt Which try it will be: 1, 2, 3 …
 * @property {number} delay Seconds until then.
 * @property {string} why Why the last connection, or the last try, failed.
 *
 * @typedef {object} Resumed The session goes on over a new connection; nothing is lost.
 * @property {"resumed"} type
 * @property {number} seconds Time without a connection.
 *
 * @typedef {object} Restarted A new session goes on; times and indexes go on as in the old one.
 * @property {"restarted"} type
 * @property {string} reason Why the old one did not: see `SessionLost`.
 * @property {number} secondsLost Audio that was acknowledged and whose words may never come.
 * @property {number} seconds Time without a connection.
 *
 * @typedef {object} Ended The last event: everything accepted is transcribed.
 * @property {"ended"} type
 * @property {number | null} duration Seconds of audio accepted; null where the server does not say.
 *
 * @typedef {Final | Interim | Warning | MessageRefused | GoingAway | Reconnecting | Resumed
 *   | Restarted | Ended} SessionEvent
 */

export {};
