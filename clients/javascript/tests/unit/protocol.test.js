/** The pure part of the client: frames in, events and frames out, over breaks and lost sessions. */

import assert from "node:assert/strict";
import test from "node:test";

import { ConnectionLost, ProtocolViolation, SessionFailed, SessionLost } from "../../src/errors.js";
import { FINALIZE } from "../../src/outbox.js";
import { Protocol } from "../../src/protocol.js";
import { parse } from "../../src/wire.js";

const BYTES_PER_SECOND = 32_000;
const OPENED = { status: "session", session: "s-1", client_id: 7, resumed: false, token: "s-1.secret" };
const SECOND = new Uint8Array(BYTES_PER_SECOND);
const PIECE = new Uint8Array(200);

const opened = (more = {}) => parse(JSON.stringify({ ...OPENED, ...more }));
const resumed = (received) => opened({ resumed: true, received, token: undefined });

function begun({ raw = true, lossy = false } = {}) {
  const protocol = new Protocol(262_144, raw ? BYTES_PER_SECOND : null, lossy);
  protocol.identity.take(opened());
  return protocol;
}

const say = (protocol, frame) => protocol.receive(JSON.stringify(frame));
const ack = (protocol, bytes) => say(protocol, { status: "received", size: bytes.length });
const final = (protocol, index, start, end, reason = "endpoint") =>
  say(protocol, { status: "transcript", index, text: `final ${index}`, start, end, reason });

function drain(protocol) {
  const frames = [];
  for (let frame = protocol.outbox.next(); frame; frame = protocol.outbox.next()) frames.push(frame);
  return frames;
}

test("what the server has is not sent again, and what it has not goes again in its place", () => {
  const protocol = begun();
  const [one, two] = [new Uint8Array(100), new Uint8Array(50)];
  protocol.audio(one);
  protocol.control(FINALIZE);
  protocol.audio(two);
  assert.deepEqual(drain(protocol), [one, FINALIZE, two]);
  assert.equal(protocol.reopened(resumed(1), 2).type, "resumed");
  assert.deepEqual(drain(protocol), [FINALIZE, two]);
});

test("a finalize that the server has answered is not sent again", () => {
  const protocol = begun();
  protocol.audio(PIECE);
  protocol.control(FINALIZE);
  drain(protocol);
  ack(protocol, PIECE);
  final(protocol, 1, 0, 1, "finalize");
  protocol.reopened(resumed(1), 0);
  assert.deepEqual(drain(protocol), []);
});

test("each final is handed out once", () => {
  const protocol = begun();
  assert.equal(final(protocol, 1, 0, 1).index, 1);
  assert.equal(final(protocol, 2, 1, 2).index, 2);
  assert.deepEqual(protocol.place, { token: "s-1.secret", index: 2 });
  protocol.reopened(resumed(0), 0);
  assert.equal(final(protocol, 2, 1, 2), null);
  assert.equal(final(protocol, 3, 2, 3).index, 3);
  assert.throws(() => final(protocol, 5, 4, 5), ProtocolViolation);
});

test("an interim does not follow the final that covers it", () => {
  const protocol = begun();
  const interim = { status: "interim", text: "fin", stable: "", start: 0, end: 0.8 };
  assert.equal(say(protocol, interim).text, "fin");
  final(protocol, 1, 0, 1);
  assert.equal(say(protocol, interim), null);
});

test("the token that was told once stays, though a later frame has none", () => {
  const protocol = begun();
  protocol.reopened(resumed(0), 0);
  assert.equal(protocol.place.token, "s-1.secret");
});

for (const reason of ["unknown", "failed", "mid_file", "behind"]) {
  test(`a lost session is an error that tells the seconds: ${reason}`, () => {
    const protocol = begun();
    protocol.audio(SECOND);
    drain(protocol);
    ack(protocol, SECOND);
    final(protocol, 1, 0, 0.5);
    assert.throws(
      () => protocol.reopened(opened({ session: "s-2", reason }), 0),
      (error) => error instanceof SessionLost && error.secondsLost === 0.5 && error.reason === reason,
    );
  });
}

test("a lost session goes on in a new one if that is wanted, in the same numbers and times", () => {
  const protocol = begun({ lossy: true });
  protocol.audio(SECOND);
  protocol.audio(PIECE);
  drain(protocol);
  ack(protocol, SECOND);
  final(protocol, 1, 0, 0.5);
  const event = protocol.reopened(opened({ session: "s-2", reason: "unknown" }), 3);
  assert.deepEqual(event, { type: "restarted", reason: "unknown", secondsLost: 0.5, seconds: 3 });
  assert.deepEqual(drain(protocol), [PIECE]);
  const rest = final(protocol, 1, 0, 0.25);
  assert.deepEqual([rest.index, rest.start, rest.end], [2, 1, 1.25]);
});

test("a session that took nothing goes on in a new one by itself", () => {
  const protocol = begun({ raw: false });
  protocol.audio(PIECE);
  drain(protocol);
  assert.equal(protocol.reopened(opened({ session: "s-2" }), 0).secondsLost, 0);
  assert.deepEqual(drain(protocol), [PIECE]);
});

test("audio that is acknowledged and gone is a lost session", () => {
  const protocol = begun();
  for (const _ of [1, 2]) protocol.audio(PIECE);
  drain(protocol);
  for (const _ of [1, 2]) ack(protocol, PIECE);
  assert.throws(() => protocol.reopened(resumed(1), 0), { reason: "audio_missing" });
  assert.throws(() => begun().reopened(resumed(1), 0), ProtocolViolation);
});

test("a session that ended while we were away is read, and a new one takes the rest", () => {
  const protocol = begun();
  protocol.audio(SECOND);
  protocol.audio(PIECE);
  drain(protocol);
  protocol.reopened(resumed(1), 0);
  drain(protocol);
  final(protocol, 1, 0, 0.9);
  assert.equal(say(protocol, { status: "error", error: "The stream has ended; open another" }), null);
  assert.equal(say(protocol, { status: "ended", duration: 1 }), null);
  assert.throws(() => protocol.closed(1000, ""), ConnectionLost);
  assert.equal(protocol.place, null);
  assert.equal(protocol.reopened(opened({ session: "s-2" }), 0).reason, "ended");
  assert.deepEqual(drain(protocol), [PIECE]);
});

test("a client ahead of the server comes back from what that has, and only once", () => {
  const protocol = begun();
  for (const index of [1, 2, 3]) final(protocol, index, index - 1, index);
  assert.equal(protocol.recorded(1), true);
  assert.equal(protocol.place.index, 1);
  assert.equal(protocol.recorded(1), false);
});

test("failures end the session, those that may pass with the close", () => {
  assert.throws(
    () => say(begun(), { status: "error", error: "Another has it", code: "superseded" }),
    SessionFailed,
  );
  const protocol = begun();
  assert.equal(say(protocol, { status: "error", error: "Full", code: "no_capacity" }), null);
  assert.throws(() => protocol.closed(1013, ""), { code: "no_capacity" });
});

test("a refused message is dropped and told", () => {
  const protocol = begun();
  protocol.audio(PIECE);
  protocol.audio(SECOND);
  drain(protocol);
  const error = "Audio data too large (max 1000 bytes)";
  const event = say(protocol, { status: "error", error });
  assert.deepEqual(event, { type: "refused", message: error, bytes: SECOND.length });
  assert.equal(protocol.outbox.pendingBytes, PIECE.length);
});

test("the end is told once", () => {
  const protocol = begun();
  protocol.end();
  protocol.end();
  assert.deepEqual(drain(protocol), ['{"type":"end"}']);
  const ended = say(protocol, { status: "ended", duration: 2 });
  assert.deepEqual(ended, { type: "ended", duration: 2 });
  assert.equal(protocol.closed(1000, ""), null);
  assert.throws(() => protocol.audio(PIECE), TypeError);
});

test("what a newer server adds is ignored, what is wrong is not", () => {
  const protocol = begun();
  assert.equal(say(protocol, { status: "weather", rain: true }), null);
  assert.deepEqual(say(protocol, { status: "warning", warning: "noise" }), {
    type: "warning",
    message: "noise",
  });
  for (const data of ["no JSON", "[]", "null", '{"status":"received"}', new ArrayBuffer(1)]) {
    assert.throws(() => protocol.receive(data), ProtocolViolation);
  }
  assert.throws(() => ack(protocol, PIECE), ProtocolViolation);
});
