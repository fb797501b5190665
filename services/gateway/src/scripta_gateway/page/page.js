/**
 * The page: joins its controls to a session, a file and the microphone.
 *
 * One session at a time, and one sender at a time. A session carries either the microphone or one
 * file, so the gateway never has to guess where one kind of audio ends and another begins; what
 * needs a new session ends the old one first, with all its words.
 */

import { explainClose, explainMicrophone, explainRefusal, sentence } from "./explain.js";
import { Microphone, microphoneObstacle } from "./microphone.js";
import { offerModels } from "./models.js";
import { Session, SessionClosed, sessionUrl } from "./session.js";
import { sendFile } from "./upload.js";
import { clock, copyText, Transcript } from "./view.js";

const ui = Object.fromEntries(
  Array.from(document.querySelectorAll("[id]"), (element) => [element.id, element]),
);
const transcript = new Transcript();
const obstacle = microphoneObstacle();

/** "closed", "connecting", "open" or "ending". */
let link = "closed";
let session = null;
/** What the session has carried: "microphone", "file" or null. */
let carried = null;
/** What is sending or about to: "microphone", "file" or null. */
let sender = null;
let microphone = null;
/** Stops the file that is being sent; null when there is none. */
let upload = null;
/** The error with which the gateway announced the end of the session, or null. */
let failure = null;
/** What to say once the session is closed in order; null until the gateway announces it. */
let farewell = null;
/** What Reconnect does. */
let resume = connect;

/** The gateway refused a message of the file. */
class Refused extends Error {}

/** The user stopped the file. */
class Stopped extends Error {}

function render() {
  const idle = sender === null;
  ui.connect.disabled = link !== "closed" || !idle;
  ui.reconnect.disabled = ui.connect.disabled;
  ui.end.disabled = link !== "open" || !(idle || microphone?.live);
  ui.disconnect.disabled = link === "closed";
  ui.options.disabled = link !== "closed";
  ui.microphone.disabled = obstacle !== null || link === "ending" || !(idle || microphone?.live);
  ui.microphone.textContent = sender === "microphone" ? "Stop microphone" : "Start microphone";
  ui.file.disabled = !idle;
  ui["send-file"].disabled = !idle || link === "ending" || ui.file.files.length === 0;
  ui["stop-file"].disabled = upload === null;
}

function renderCounts() {
  for (const row of ["sent", "received"]) {
    ui[`${row}-messages`].textContent = session[row].messages.toLocaleString("en");
    ui[`${row}-bytes`].textContent = session[row].bytes.toLocaleString("en");
  }
  if (upload !== null) showProgress(session.received.bytes);
}

function showProgress(bytes) {
  const size = ui.file.files[0].size;
  ui.progress.max = size;
  ui.progress.value = bytes;
  ui["progress-text"].textContent = `${Math.floor((100 * bytes) / size)} %`;
}

function say(text) {
  ui.state.textContent = text;
}

function notify(text, { error = true, retry = false } = {}) {
  ui["notice-text"].textContent = text;
  ui.notice.classList.toggle("error", error);
  ui.reconnect.hidden = !retry;
  ui.notice.hidden = false;
}

/** Opens a session; null if that failed (and was explained) or an option is not valid. */
async function connect({ upload = false } = {}) {
  ui.notice.hidden = true;
  const { language, model, endpointing } = ui;
  language.value = language.value.trim();
  const invalid = [language, endpointing].find((field) => !field.checkValidity());
  if (invalid !== undefined) {
    invalid.closest("details").open = true;
    invalid.reportValidity();
    return null;
  }
  const options = { language: language.value, model: model.value, endpointing: endpointing.value };
  if (upload) options.upload = "true"; // it may wait for a slot
  const opening = new Session(sessionUrl(document.baseURI, options));
  [session, link] = [opening, "connecting"];
  [carried, failure, farewell] = [null, null, null];
  listen(opening);
  say("Connecting…");
  render();
  renderCounts();
  return new Promise((resolve) => {
    opening.addEventListener("open", () => resolve(opening));
    opening.addEventListener("closed", () => resolve(null));
  });
}

function listen(opening) {
  const on = (name, react) => opening.addEventListener(name, ({ detail }) => react(detail));
  on("open", () => {
    link = "open";
    say("Connected");
    render();
  });
  on("session", (message) => {
    say(`Connected, session ${message.session}`);
    transcript.begin(message.session);
  });
  on("traffic", renderCounts);
  on("interim", (message) => transcript.interim(message));
  on("final", onFinal);
  on("refused", onRefused);
  on("failed", (message) => {
    failure = message.error;
  });
  on("going_away", () => {
    notify("The gateway is about to restart and will close this session soon.", { error: false });
  });
  on("ended", (message) => {
    farewell = `Session ended, ${clock(message.duration)} of audio`;
  });
  on("closed", onClosed);
}

function onFinal(message) {
  if (transcript.final(message)) {
    ui.copy.disabled = false;
    ui.clear.disabled = false;
  } else {
    say(`Connected; no more speech up to ${clock(message.end)}`);
  }
}

function onRefused({ error }) {
  if (upload === null) notify(`The gateway refused a message: ${sentence(error)}`);
  else upload.abort(new Refused(error));
}

async function onClosed(closed) {
  const last = link;
  resume = sender === "microphone" ? startMicrophone : connect;
  [session, link] = [null, "closed"];
  render();
  stopMicrophone();
  if (closed.asked) {
    say("Disconnected");
  } else if (!closed.opened) {
    say("Not connected");
    const why = await explainRefusal(closed.url);
    if (session === null) notify(why, { retry: true });
  } else if (last === "ending" && closed.code === 1000) {
    say(farewell ?? "Session ended");
  } else {
    say("Not connected");
    const { text, retry } = explainClose(closed, failure);
    notify(text, { retry });
  }
}

/** Ends the session and resolves when it is closed, the last words having come. */
async function endSession() {
  await stopMicrophone();
  if (session === null) return;
  const ending = session;
  const closed = new Promise((resolve) => ending.addEventListener("closed", resolve));
  link = "ending";
  say("Ending: waiting for the last words…");
  render();
  ending.end();
  await closed;
}

/** A session that can carry this kind of audio, or null. */
async function sessionFor(source) {
  const fits = carried === null || (carried === "microphone" && source === "microphone");
  if (link === "open" && !fits) await endSession();
  const target = link === "open" ? session : await connect({ upload: source === "file" });
  if (target !== null) carried = source;
  return target;
}

async function startMicrophone() {
  sender = "microphone";
  ui.notice.hidden = true;
  render();
  try {
    microphone = await Microphone.request();
  } catch (error) {
    sender = null;
    notify(explainMicrophone(error));
    render();
    return;
  }
  const target = await sessionFor("microphone");
  if (target === null || !target.open) {
    await stopMicrophone();
    return;
  }
  microphone.onlost = () => {
    notify("The microphone went away. Plug it in or allow it again, then start it.");
    stopMicrophone();
  };
  microphone.start((chunk) => onChunk(target, chunk));
  render();
}

function onChunk(target, chunk) {
  if (target.send(chunk) || !target.open || microphone === null) return;
  notify(
    "The microphone was stopped: more than half a minute of your speech waits for the gateway " +
    "or the network. What was acknowledged is kept; start again when they are faster.",
  );
  stopMicrophone();
}

async function stopMicrophone() {
  if (microphone === null) return;
  const stopping = microphone;
  microphone = null;
  render();
  await stopping.stop();
  session?.finalize();
  sender = null;
  render();
}

async function sendChosenFile() {
  const [file] = ui.file.files;
  ui.notice.hidden = true;
  if (file.size === 0) {
    notify(`${file.name} is empty or no longer there. Choose a file again.`);
    return;
  }
  sender = "file";
  upload = new AbortController();
  const { signal } = upload;
  showProgress(0);
  render();
  const target = await sessionFor("file");
  try {
    if (target !== null) await sendFile(target, file, signal);
  } catch (error) {
    onUploadError(error, target);
  } finally {
    [sender, upload] = [null, null];
    render();
  }
}

function onUploadError(error, target) {
  if (error instanceof SessionClosed) return;
  target.finalize();
  if (error instanceof Stopped) return;
  if (error instanceof Refused) {
    notify(
      `The gateway refused the file: ${sentence(error.message)} ` +
      "Send wav, flac, mp3, ogg, webm or m4a.",
    );
  } else {
    notify(`The file cannot be read: ${sentence(error.message)} Choose it again.`);
  }
}

async function copyTranscript() {
  const copied = await copyText(transcript.text());
  ui.copied.textContent = copied ? "Copied" : "Select the text and copy it with the keyboard";
}

ui.connect.onclick = () => connect();
ui.reconnect.onclick = () => resume();
ui.end.onclick = () => endSession();
ui.disconnect.onclick = () => session?.disconnect();
ui.microphone.onclick = () => (sender === null ? startMicrophone() : stopMicrophone());
ui.file.onchange = render;
ui["send-file"].onclick = () => sendChosenFile();
ui["stop-file"].onclick = () => upload?.abort(new Stopped());
ui.copy.onclick = () => copyTranscript();
ui.clear.onclick = () => {
  transcript.clear();
  ui.copy.disabled = true;
  ui.clear.disabled = true;
};
ui["microphone-hint"].textContent = obstacle ?? "";
render();
offerModels(ui.model, document.baseURI);
