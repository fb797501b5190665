"use strict";
// @deepgram/sdk for Node: live streams with its own reconnecting, files and addresses.

const fs = require("node:fs");
// As in a page: a WebSocket takes no headers, so that the package shows a key in subprotocols.
if (process.argv[2] === "browser") {
  globalThis.window = { document: {}, navigator: { userAgent: "browser" } };
  globalThis.WebSocket = require("ws").WebSocket;
}
const { DeepgramClient } = require("@deepgram/sdk");
const { queryOf, readSpeech, run, steps, tell, tellError } = require("./talk.cjs");

function clientOf(options) {
  const webSocket = options.url.replace(/^http/, "ws");
  const environment = { base: options.url, production: webSocket, agent: webSocket, agentRest: options.url };
  const shown = options.token ? { accessToken: options.token } : { apiKey: options.key };
  return new DeepgramClient({ ...shown, environment, maxRetries: options.retries });
}

async function live(options) {
  const speech = readSpeech(options);
  const socket = await clientOf(options).listen.v1.connect({
    model: options.model ?? "nova-3",
    language: options.language,
    interim_results: String(options.interim),
    encoding: "linear16",
    sample_rate: speech.rate,
    channels: speech.channels,
    ...(options.multichannel ? { multichannel: "true" } : {}),
    ...queryOf(options),
  });
  const ended = new Promise((resolve) => listen(socket, resolve));
  socket.connect();
  const opened = new Promise((resolve) => socket.socket.addEventListener("open", resolve));
  await Promise.race([opened, ended]);
  await Promise.race([speak(socket, speech, options), ended]);
  await ended;
}

// Tells all that happens. A close with 1000 is the end, and so does the client itself close after
// a handshake that failed; after other codes it connects again.
function listen(socket, ended) {
  socket.on("open", () => tell("open"));
  socket.on("message", (message) => {
    tell("message", { type: message.type, data: message });
    const best = message.type === "Results" ? message.channel.alternatives[0] : undefined;
    if (best) {
      const text = best.transcript;
      tell(message.is_final ? "final" : "interim", { text, channel: message.channel_index[0] });
    }
  });
  socket.on("error", (error) => tellError(error));
  socket.on("close", (event) => {
    tell("closed", { code: event.code, reason: event.reason ?? "" });
    if (event.code === 1000) ended();
  });
}

// While the connection is down the client's methods throw: what was to be sent then is lost.
async function speak(socket, speech, options) {
  let lost = 0;
  const send = (what) => {
    try {
      what();
      return true;
    } catch {
      return false;
    }
  };
  for await (const step of steps(speech, options)) {
    if (step.what === "audio") {
      if (!send(() => socket.sendMedia(step.data))) lost += step.data.length;
    } else if (step.what === "finalize") {
      send(() => socket.sendFinalize({ type: "Finalize" }));
    } else if (step.what === "keepalive") {
      send(() => socket.sendKeepAlive({ type: "KeepAlive" }));
    }
  }
  if (lost) tell("lost", { seconds: lost / 2 / speech.channels / speech.rate });
  while (!send(() => socket.sendCloseStream({ type: "CloseStream" }))) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const file = (options) =>
  ask(options, (media, query) => media.transcribeFile(fs.createReadStream(options.wav), query));
const url = (options) =>
  ask(options, (media, query) => media.transcribeUrl({ url: options.wav, ...query }));

async function ask(options, call) {
  const query = { model: options.model ?? "nova-3", language: options.language, ...queryOf(options) };
  try {
    const answer = await call(clientOf(options).listen.v1.media, query);
    tell("message", { type: "answer", data: answer });
    answer.results.channels.forEach((each, channel) =>
      tell("final", { text: each.alternatives[0].transcript, channel }));
  } catch (error) {
    tellError(error, { status: error.statusCode, body: error.body });
  }
}

run({ live, browser: live, file, url });
