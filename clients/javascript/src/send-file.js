/** Sends a recording through a session, held back by acknowledgements. */

/** @import { Session } from "./session.js" */

// Small enough that even a slow uplink brings several a second: the gateway takes a second without
// a whole message for a pause.
const MESSAGE_BYTES = 16 * 1024;

/**
 * Sends the bytes of a file as they are; neither ends the session nor waits for its words.
 *
 * However long the file is, no more of it is in memory than may be unacknowledged.
 * @param {Session} session
 * @param {Blob} file A file of a page; in Node: `await fs.openAsBlob(path)`.
 * @param {{ signal?: AbortSignal, onProgress?: (sent: number, size: number) => void }} options
 */
export async function sendFile(session, file, { signal, onProgress } = {}) {
  for (let offset = 0; offset < file.size; offset += MESSAGE_BYTES) {
    const bytes = await file.slice(offset, offset + MESSAGE_BYTES).arrayBuffer();
    await session.send(bytes, signal === undefined ? {} : { signal });
    onProgress?.(Math.min(offset + MESSAGE_BYTES, file.size), file.size);
  }
}
