/** What only a browser can do: the microphone, and decoding files. */

export { decodeFile } from "./decode-file.js";
export { Microphone } from "./microphone.js";
