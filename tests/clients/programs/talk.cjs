"use strict";
// What the programs for Node share: options, a recording in steps, and events on standard output.
// The options are those of options.py; the ones that no program here uses are not read.

const fs = require("node:fs");
const { setTimeout: sleep } = require("node:timers/promises");

const KEEPALIVE_SECONDS = 3;
const NUMBERS = ["speed", "chunk-ms", "limit", "silence", "hold-open", "settle", "retries"];
const LISTS = ["query", "finalize", "commit", "granularity"];
const DEFAULTS = {
  key: "key", language: "en", limit: 60, speed: 1, "chunk-ms": 100, silence: 0, "hold-open": 0,
  settle: 1, retries: 0, session: "{}", format: "json", interim: true,
  query: [], finalize: [], commit: [], granularity: [],
};

function readOptions() {
  const [mode, url, wav, ...flags] = process.argv.slice(2);
  const options = { ...structuredClone(DEFAULTS), mode, url, wav };
  for (const flag of flags) {
    const [, name, value] = /^--([a-z-]+)(?:=(.*))?$/s.exec(flag);
    if (name === "no-interim") options.interim = false;
    else if (LISTS.includes(name)) options[name].push(value);
    else if (NUMBERS.includes(name)) options[name] = Number(value);
    else options[name] = value ?? true;
  }
  return options;
}

// A name that is given twice has a list.
function queryOf(options) {
  const query = {};
  for (const pair of options.query) {
    const at = pair.indexOf("=");
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
    query[name] = name in query ? [query[name], value].flat() : value;
  }
  return query;
}

function tell(event, fields = {}) {
  const at = Number(process.hrtime.bigint()) / 1e9;
  fs.writeSync(1, JSON.stringify({ event, at, ...fields }) + "\n");
}

function tellError(error, fields = {}) {
  tell("error", { kind: error?.name ?? "error", text: String(error?.message ?? error).slice(0, 500), ...fields });
}

// Reads a WAV of s16le whose header has the usual 44 bytes, at another rate if one is wanted.
function readSpeech(options, rate, silence = 0) {
  const file = fs.readFileSync(options.wav);
  const channels = file.readUInt16LE(22);
  let had = file.readUInt32LE(24);
  const quiet = Buffer.alloc(Math.round((options.silence || silence) * had) * 2 * channels);
  let pcm = Buffer.concat([file.subarray(44), quiet]);
  if (rate && rate !== had) {
    pcm = resampled(pcm, channels, had, rate);
    had = rate;
  }
  return { pcm, rate: had, channels, seconds: pcm.length / 2 / channels / had };
}

function resampled(pcm, channels, had, rate) {
  const frames = pcm.length / 2 / channels;
  const wanted = Math.floor((frames * rate) / had);
  const made = Buffer.alloc(wanted * 2 * channels);
  for (let number = 0; number < wanted; number++) {
    const at = (number * had) / rate;
    const [left, right] = [Math.floor(at), Math.min(Math.floor(at) + 1, frames - 1)];
    for (let channel = 0; channel < channels; channel++) {
      const sample = (frame) => pcm.readInt16LE(2 * (frame * channels + channel));
      const value = sample(left) + (sample(right) - sample(left)) * (at - left);
      made.writeInt16LE(Math.round(value), 2 * (number * channels + channel));
    }
  }
  return made;
}

// Yields what to send when it is due, and tells how far it is after each second.
async function* steps(speech, options) {
  const started = performance.now();
  let [waited, told] = [0, 0];
  for (const step of planned(speech, options)) {
    waited += step.wait ?? 0;
    const due = 1000 * (waited + (options.speed ? step.second / options.speed : 0));
    await sleep(Math.max(0, started + due - performance.now()));
    yield step;
    if (step.second - told >= 1) tell("sent", { seconds: (told = step.second) });
  }
  tell("spoken", { seconds: speech.seconds });
  await sleep(1000 * options["hold-open"]);
}

// Yields all steps of a recording in their order; audio is due when it has been spoken.
function* planned(speech, options) {
  const size = Math.round((speech.rate * options["chunk-ms"]) / 1000) * 2 * speech.channels;
  const marks = [
    ...options.finalize.map((at) => [Number(at), "finalize"]),
    ...options.commit.map((at) => [Number(at), "commit"]),
  ].sort((one, other) => one[0] - other[0]);
  let [pauseAt, pauseFor] = (options.pause ?? "Infinity:0").split(":").map(Number);
  let second = 0;
  for (let start = 0; start < speech.pcm.length; start += size) {
    if (second >= pauseAt) {
      yield* paused(second, pauseFor, options.keepalive);
      pauseAt = Infinity;
    }
    const data = speech.pcm.subarray(start, start + size);
    second = (start + data.length) / 2 / speech.channels / speech.rate;
    yield { what: "audio", data, second };
    while (marks.length && marks[0][0] <= second) yield { what: marks.shift()[1], second };
  }
}

function* paused(second, seconds, keepalive) {
  for (; keepalive && seconds > KEEPALIVE_SECONDS; seconds -= KEEPALIVE_SECONDS) {
    yield { what: "keepalive", second, wait: KEEPALIVE_SECONDS };
  }
  yield { what: "wait", second, wait: seconds };
}

async function run(modes) {
  const options = readOptions();
  if (options.hold) {
    tell("ready");
    await new Promise((resolve) => process.stdin.once("data", resolve));
  }
  const limit = setTimeout(() => {
    tell("limit", { seconds: options.limit });
    process.exit(3);
  }, 1000 * options.limit);
  await modes[options.mode](options);
  clearTimeout(limit);
  tell("end");
  process.exit(0);
}

module.exports = { queryOf, readSpeech, run, sleep, steps, tell, tellError };
