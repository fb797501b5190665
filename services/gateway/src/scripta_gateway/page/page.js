/**
 * The page: joins its controls to a session, a file and the microphone.
 *
 * One session at a time, and one sender at a time. A session carries either the microphone or one
 * file, so the gateway never has to guess where one kind of audio ends and another begins; what
 * needs a new session ends the old one first, with all its words.
 */

import { download } from "./download.js";
import {
  explainClose,
  explainMicrophone,
  explainRefusal,
  NEEDS_KEY,
  OUT_OF_REACH,
  sentence,
} from "./explain.js";
import { keepFocus } from "./focus.js";
import { fillPickers } from "./models.js";
import { CodeMissing, Microphone, microphoneObstacle } from "./microphone.js";
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
/** Seconds of audio of the session that ended in order; null before. */
let duration = null;
/** Whether the session has brought a word. */
let worded = false;
/** What the gateway thinks of the audio of the file, or "". */
let doubt = "";
/** Seconds of speech since the microphone was started. */
let spoken = 0;

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
  renderMicrophone(idle);
  ui.file.disabled = !idle || link === "ending";
  ui["stop-file"].disabled = upload === null;
  keepFocus();
}

function renderMicrophone(idle) {
  // Not `disabled`, which would take the focus from whoever starts and stops by keyboard.
  const usable = obstacle === null && link !== "ending" && (idle || microphone?.live);
  ui.microphone.ariaDisabled = String(!usable);
  ui.microphone.textContent = sender === "microphone" ? "Stop speaking" : "Start speaking";
  ui.microphone.classList.toggle("live", sender === "microphone");
  ui.timer.hidden = sender !== "microphone";
  if (sender !== "microphone") ui.level.style.setProperty("--level", 0);
}

function renderTranscript() {
  const some = transcript.finals.length > 0;
  ui.keep.hidden = !some;
  ui.empty.hidden = some || ui.interim.textContent !== "";
  keepFocus();
}

function renderCounts() {
  for (const row of ["sent", "received"]) {
    ui[`${row}-messages`].textContent = session[row].messages.toLocaleString("en");
    ui[`${row}-bytes`].textContent = session[row].bytes.toLocaleString("en");
  }
  if (upload !== null) showProgress(session.received.bytes);
}

function showProgress(bytes) {
  const { size } = upload.file;
  ui.progress.max = size;
  ui.progress.value = bytes;
  const doing = bytes < size ? "Uploading" : "Transcribing";
  ui["progress-text"].textContent = `${doing}, ${Math.floor((100 * bytes) / size)} %`;
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

/** The key as a header of a plain request. */
function keyHeaders() {
  const key = ui.key.value.trim();
  return key === "" ? {} : { Authorization: `Bearer ${key}` };
}

/** Opens a session; null if that failed (and was explained) or an option is not valid. */
async function connect({ upload = false } = {}) {
  ui.notice.hidden = true;
  const { model, language, endpointing } = ui;
  if (!endpointing.checkValidity()) {
    ui.settings.open = true;
    endpointing.reportValidity();
    return null;
  }
  const options = {
    model: model.value,
    language: language.value,
    endpointing: endpointing.value,
    upload: upload ? "true" : "", // it may wait for a slot
  };
  const opening = new Session(sessionUrl(document.baseURI, options), ui.key.value.trim());
  [session, link] = [opening, "connecting"];
  [carried, failure, farewell, duration] = [null, null, null, null];
  [worded, doubt] = [false, ""];
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
  on("interim", (message) => {
    transcript.interim(message);
    renderTranscript();
  });
  on("warning", onWarning);
  on("final", onFinal);
  on("refused", onRefused);
  on("failed", (message) => {
    failure = message.error;
  });
  on("going_away", () => {
    notify("The gateway is about to restart and will close this session soon.", { error: false });
  });
  on("ended", (message) => {
    duration = message.duration;
    farewell = `Session ended, ${clock(message.duration)} of audio`;
  });
  on("closed", onClosed);
}

function onFinal(message) {
  if (transcript.final(message)) {
    worded = true;
    renderTranscript();
  } else {
    say(`Connected; no more speech up to ${clock(message.end)}`);
  }
}

function onWarning({ warning }) {
  doubt = sentence(warning);
  notify(`The gateway says: ${doubt}`, { error: false });
}

function onRefused({ error }) {
  if (upload === null) notify(`The gateway refused a message: ${sentence(error)}`);
  else upload.abort(new Refused(error));
}

async function onClosed(closed) {
  const last = link;
  resume = sender === "microphone" ? startMicrophone : connect;
  [session, link] = [null, "closed"];
  transcript.interrupt();
  renderTranscript();
  render();
  stopMicrophone();
  if (closed.asked) {
    say("Disconnected");
  } else if (!closed.opened) {
    say("Not connected");
    const { text, status } = await explainRefusal(closed.url, keyHeaders());
    if (session === null) notify(text, { retry: true });
    if (status === NEEDS_KEY) askForKey();
  } else if (last === "ending" && closed.code === 1000) {
    say(farewell ?? "Session ended");
  } else {
    say("Not connected");
    const { text, retry } = explainClose(closed, failure);
    notify(text, { retry });
  }
}

function askForKey() {
  ui.settings.open = true;
  ui["key-row"].hidden = false;
  ui.key.focus();
}

async function endByHand() {
  await stopMicrophone();
  await endSession();
}

/** Ends the session and resolves when it is closed, the last words having come. */
async function endSession() {
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
  spoken = 0;
  ui.timer.textContent = clock(0).slice(0, -2);
  ui.notice.hidden = true;
  render();
  const ready = await requestMicrophone();
  // The microphone is this page's only from here on: what ends an older session leaves it alone.
  const target = ready === null ? null : await sessionFor("microphone");
  if (target === null || !target.open) {
    await ready?.stop();
    sender = null;
    render();
    return;
  }
  microphone = ready;
  microphone.onlost = () => {
    notify("The microphone went away. Plug it in or allow it again, then start it.");
    stopMicrophone();
  };
  microphone.start((chunk) => onChunk(target, chunk));
  render();
}

async function requestMicrophone() {
  try {
    return await Microphone.request();
  } catch (error) {
    resume = startMicrophone;
    if (error instanceof CodeMissing) notify(OUT_OF_REACH, { retry: true });
    else notify(explainMicrophone(error));
    return null;
  }
}

function showLevel(chunk) {
  const samples = new Int16Array(chunk);
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / (samples.length || 1);
  const decibels = 10 * Math.log10(power / 32768 ** 2 + 1e-9);
  ui.level.style.setProperty("--level", Math.max(0, Math.min(1, 1 + decibels / 60)).toFixed(2));
  spoken += samples.length / 16_000;
  ui.timer.textContent = clock(spoken).slice(0, -2);
}

function onChunk(target, chunk) {
  showLevel(chunk);
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

/** Transcribes files one after another, each in a session of its own. */
async function sendFiles(files) {
  if (sender !== null || link === "ending" || files.length === 0) return;
  sender = "file";
  ui.notice.hidden = true;
  ui["file-row"].hidden = false;
  for (const file of files) {
    if (!(await transcribeFile(file))) break;
  }
  [sender, upload] = [null, null];
  render();
}

/** Returns false if it was stopped, refused or failed; that was explained. */
async function transcribeFile(file) {
  ui["progress-label"].textContent = file.name;
  if (file.size === 0) {
    notify(`${file.name} is empty or no longer there. Choose a file again.`);
    return false;
  }
  const began = performance.now();
  upload = new AbortController();
  upload.file = file;
  showProgress(0);
  render();
  const target = await sessionFor("file");
  if (target === null) return false;
  try {
    await sendFile(target, file, upload.signal);
  } catch (error) {
    await onUploadError(error, target);
    return false;
  }
  showProgress(file.size);
  await endSession();
  if (duration === null) return false;
  tellDone(file, (performance.now() - began) / 1000);
  return worded;
}

function tellDone(file, seconds) {
  const speed = (duration / seconds).toFixed(1);
  ui["progress-text"].textContent = `Done, ${clock(duration)} of audio at ${speed} × its pace`;
  if (!worded) notify(`No words were heard in ${file.name}. ${doubt}`);
}

async function onUploadError(error, target) {
  ui["progress-text"].textContent = "Stopped";
  if (error instanceof SessionClosed) return;
  if (error instanceof Refused) {
    notify(
      `The gateway refused the file: ${sentence(error.message)} ` +
      "Send wav, flac, mp3, ogg, webm or m4a.",
    );
  } else if (!(error instanceof Stopped)) {
    notify(`The file cannot be read: ${sentence(error.message)} Choose it again.`);
  }
  if (target.open) await endSession();
}

async function copyTranscript() {
  const copied = await copyText(transcript.text());
  ui.copied.textContent = copied ? "Copied" : "Select the text and copy it with the keyboard";
}

function onDrop(event) {
  event.preventDefault();
  document.body.classList.remove("dropping");
  sendFiles(Array.from(event.dataTransfer.files));
}

ui.connect.onclick = () => connect();
ui.reconnect.onclick = () => resume();
ui.end.onclick = () => endByHand();
ui.disconnect.onclick = () => session?.disconnect();
ui.microphone.onclick = () => {
  if (ui.microphone.ariaDisabled === "true") return;
  if (sender === null) startMicrophone();
  else stopMicrophone();
};
ui.file.onchange = () => {
  const files = Array.from(ui.file.files);
  ui.file.value = ""; // the same file may be chosen again
  sendFiles(files);
};
ui["stop-file"].onclick = () => upload?.abort(new Stopped());
ui.copy.onclick = () => copyTranscript();
ui.clear.onclick = () => {
  transcript.clear();
  renderTranscript();
};
for (const button of document.querySelectorAll("[data-format]")) {
  button.onclick = () => download(button.dataset.format, transcript.finals);
}
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
document.addEventListener("drop", onDrop);
ui.key.onchange = () => fillPickers(keyHeaders());
ui["microphone-hint"].textContent = obstacle ?? "";
render();
fillPickers({});
