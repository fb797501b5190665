/**
 * Sends a file through a session, paced by the gateway's answers.
 *
 * At most `WINDOW` messages are unanswered at a time, so neither the page nor the socket's
 * buffer ever holds more than that of the file, however long it is.
 */

// Small enough that even a slow uplink brings several a second: the gateway takes a second without
// a whole message for a pause.
export const MESSAGE_BYTES = 16 * 1024;
export const WINDOW = 4;

/**
 * Sends all of the file and resolves when all of it is acknowledged.
 *
 * Rejects with `SessionClosed`, with the signal's reason, or with what reading the file raised
 * (it was moved or changed meanwhile).
 */
export async function sendFile(session, file, signal) {
  for (let offset = 0; offset < file.size; offset += MESSAGE_BYTES) {
    const bytes = await file.slice(offset, offset + MESSAGE_BYTES).arrayBuffer();
    await session.answered(WINDOW - 1, signal);
    session.send(bytes);
  }
  await session.answered(0, signal);
}
