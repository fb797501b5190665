"use strict";
// openai for Node: realtime transcription (over TLS only, as the package wants), and files.

const fs = require("node:fs");
const OpenAI = require("openai").default;
const { OpenAIRealtimeWebSocket } = require("openai/realtime/websocket");
const { OpenAIRealtimeWS } = require("openai/realtime/ws");
const { queryOf, readSpeech, run, sleep, steps, tell, tellError } = require("./talk.cjs");

const RATE = 24000;
const TRANSCRIPTION = "conversation.item.input_audio_transcription.";

const clientOf = (options) =>
  new OpenAI({ apiKey: options.key, baseURL: `${options.url}/v1`, maxRetries: options.retries });

async function live(options) {
  await talk(await OpenAIRealtimeWS.create(clientOf(options), { intent: "transcription" }), options);
}

// As in a page: the package's own class for browsers, over a WebSocket without headers. Nothing is
// said of the session, which the secret brings.
async function browser(options) {
  globalThis.WebSocket = require("ws").WebSocket;
  const socket = new OpenAIRealtimeWebSocket({ intent: "transcription" }, clientOf(options));
  socket.socket.on ??= socket.socket.addEventListener;
  await talk(socket, options, false);
}

async function talk(socket, options, configures = true) {
  const turns = listen(socket);
  const opened = new Promise((resolve) => socket.socket.on("open", () => resolve(true)));
  if (!(await Promise.race([opened, turns.closed.then(() => false)]))) return;
  tell("open");
  if (configures) socket.send({ type: "session.update", session: sessionOf(options) });
  await speak(socket, turns, options);
  await settled(turns, options.settle);
  socket.close();
  await turns.closed;
}

function sessionOf(options) {
  const detection = options.vad === "none" ? null : { type: `${options.vad ?? "server"}_vad` };
  const input = {
    format: { type: "audio/pcm", rate: RATE },
    transcription: { model: options.model ?? "gpt-4o-transcribe", language: options.language },
    turn_detection: detection,
    ...JSON.parse(options.session),
  };
  return { type: "transcription", audio: { input } };
}

// Tells all that happens, and knows which turns are still to be completed.
function listen(socket) {
  const turns = { open: new Set(), order: {}, texts: {}, asked: 0, ended: 0, changed: Date.now() };
  socket.on("event", (event) => {
    const item = event.item_id;
    tell("message", { type: event.type, data: event });
    if (/speech_started$|committed$/.test(event.type)) {
      turns.open.add(item);
      turns.order[item] ??= Object.keys(turns.order).length;
    }
    if (event.type === `${TRANSCRIPTION}delta`) {
      turns.texts[item] = (turns.texts[item] ?? "") + event.delta;
      tell("interim", { text: turns.texts[item], item });
    } else if (event.type === `${TRANSCRIPTION}completed`) {
      const [deltas, order] = [turns.texts[item] ?? "", turns.order[item] ?? 0];
      tell("final", { text: event.transcript, item, order, deltas });
    }
    if (/(completed|failed|^error)$/.test(event.type)) {
      turns.open.delete(item);
      turns.ended++;
    }
    turns.changed = Date.now();
  });
  socket.on("error", (error) => tellError(error));
  turns.closed = new Promise((resolve) =>
    socket.socket.on("close", (code, reason) => {
      tell("closed", { code, reason: String(reason) });
      turns.over = true;
      resolve();
    }));
  return turns;
}

async function speak(socket, turns, options) {
  const commit = () => {
    turns.asked++;
    socket.send({ type: "input_audio_buffer.commit" });
  };
  const speech = readSpeech(options, RATE, options.vad === "none" ? 0 : 2);
  for await (const step of steps(speech, options)) {
    if (step.what === "audio") {
      socket.send({ type: "input_audio_buffer.append", audio: step.data.toString("base64") });
    } else if (step.what === "commit") {
      commit();
    }
  }
  if (options.vad === "none" && !options["plain-end"]) commit();
}

// Waits until all turns have ended, and no new one begins for some seconds.
async function settled(turns, quiet) {
  for (;;) {
    const waits = turns.open.size > 0 || turns.ended < turns.asked;
    const enough = 1000 * (turns.ended ? quiet : 10);
    if (turns.over || (!waits && Date.now() - turns.changed > enough)) return;
    await sleep(20);
  }
}

async function file(options) {
  try {
    const answer = await clientOf(options).audio.transcriptions.create({
      file: fs.createReadStream(options.wav),
      model: options.model ?? "whisper-1",
      language: options.language,
      response_format: options.format,
      ...(options.stream ? { stream: true } : {}),
      ...(options.granularity.length ? { timestamp_granularities: options.granularity } : {}),
      ...queryOf(options),
    });
    if (options.stream) return tellStream(answer);
    tell("message", { type: options.format, data: answer });
    tell("final", { text: typeof answer === "string" ? answer : answer.text });
  } catch (error) {
    tellError(error, { kind: error.constructor.name, status: error.status, body: error.error });
  }
}

async function tellStream(answer) {
  for await (const event of answer) {
    tell("message", { type: event.type, data: event });
    if (event.type === "transcript.text.delta") tell("interim", { text: event.delta });
    if (event.type === "transcript.text.done") tell("final", { text: event.text });
  }
}

run({ live, browser, file });
