/**
 * A client for tests: `talk.mjs PLAN`, where PLAN is JSON. Prints what happens as lines of JSON.
 *
 * The messages have different sizes, which the mock engine says of each: so a test sees that every
 * one came once and in order.
 */

import { WebSocket } from "ws";

import { connect } from "scripta-client";

const plan = JSON.parse(process.argv[2]);
const { url, options = {}, messages = 0, size = 200, step = 2, pause = 0, abortAt } = plan;

const tell = (line) => console.log(JSON.stringify(line));
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const aborting = new AbortController();
let tokens = 0;

/** Bytes that this program holds; buffers are freed a moment after they are collected. */
async function held() {
  for (let times = 0; times < 2; times += 1) {
    globalThis.gc?.();
    await wait(30);
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** A socket as a browser has it: it takes no headers, and says of a failure only that it was one. */
class Plain {
  constructor(address, protocols) {
    const socket = new WebSocket(address, protocols);
    Object.defineProperty(socket, "onerror", {
      set: (handle) => socket.addEventListener("error", () => handle({})),
    });
    return socket;
  }
}

async function speak(session) {
  for (let index = 0; index < messages; index += 1) {
    if (index === abortAt) aborting.abort(new Error("enough"));
    await session.send(new Uint8Array(size + step * index));
    if (pause > 0) {
      await wait(pause);
      tell({ type: "accepted", bytes: session.acceptedBytes });
    }
    if (plan.measure && index % (messages / 4) === messages / 4 - 1) {
      const unacknowledged = session.unacknowledgedBytes;
      tell({ type: "held", bytes: await held(), unacknowledged });
    }
  }
  await session.end();
}

async function main() {
  const session = await connect(url, {
    encoding: "linear16",
    signal: aborting.signal,
    ...options,
    ...(plan.native ? {} : { WebSocket: plan.subprotocol ? Plain : WebSocket }),
    ...(plan.tokens ? { token: async () => plan.tokens[tokens++] } : {}),
    ...(plan.brokenToken ? { token: () => Promise.reject(new Error(plan.brokenToken)) } : {}),
  });
  tell({ type: "connected", id: session.id, ignored: session.ignored });
  const speaking = speak(session).catch((error) => tell({ type: "not sent", said: error.message }));
  for await (const event of session) {
    tell(event);
    if (event.type === plan.abortOn) aborting.abort(new Error("enough"));
  }
  await speaking;
}

await main().catch((error) => {
  const { name, message, status, retryAfter, reason, secondsLost } = error;
  tell({ type: "failed", name, message, status, retryAfter, reason, secondsLost });
});
tell({ type: "done", tokens });
