// A user's program in TypeScript: it is only checked against the types in the package.
import { connect, Refused, sendFile, Session, type Final, type Options } from "scripta-client";
import { decodeFile, Microphone } from "scripta-client/browser";

const options: Options = { encoding: "linear16", token: async () => "token", onLost: "continue" };

export async function words(file: Blob): Promise<string[]> {
  const session: Session = await connect("ws://localhost:8000", options);
  await sendFile(session, await decodeFile(file), { onProgress: (sent: number) => void sent });
  await session.send(new Int16Array(160));
  await session.end();
  const finals: Final[] = [];
  for await (const event of session) {
    if (event.type === "final") finals.push(event);
    if (event.type === "restarted") void event.secondsLost.toFixed();
    // @ts-expect-error only some events have words
    void event.words;
  }
  return finals.flatMap((final) => final.words.map((word) => word.word));
}

export async function dictate(): Promise<void> {
  const microphone = await Microphone.open({ onLevel: (level) => void level.toFixed() });
  for await (const piece of microphone) void piece.buffer;
}

// @ts-expect-error no such encoding
export const wrong: Options = { encoding: "mp3" };
export const wait = (error: unknown) => (error instanceof Refused ? error.retryAfter : null);
