/** Addresses, waits, refusals, events in line, and samples. */

import assert from "node:assert/strict";
import test from "node:test";

import { delayOf, mayPass, Outage } from "../../src/backoff.js";
import * as errors from "../../src/errors.js";
import { Inbox } from "../../src/inbox.js";
import { address } from "../../src/options.js";
import { Outbox } from "../../src/outbox.js";
import { refused } from "../../src/refusal.js";
import { copyOf, levelOf, toPcm } from "../../src/samples.js";

for (const [url, expected] of [
  ["ws://host:1/ws", "ws://host:1/ws?events=true"],
  ["https://host", "wss://host/ws?events=true"],
  ["host:8000", "ws://host:8000/ws?events=true"],
  ["http://host/a/ws?x=1#top", "ws://host/a/ws?x=1&events=true"],
]) {
  test(`address of ${url}`, () => assert.equal(address(url, {}), expected));
}

for (const url of ["ftp://host", "ws://", "/ws", "ws://host:99999"]) {
  test(`no address: ${url}`, () => assert.throws(() => address(url, {}), errors.InvalidUrl));
}

test("options and the place to come back to are in the address", () => {
  const options = { interimResults: true, sampleRate: 8000, redact: ["pci", "ssn"] };
  const { searchParams } = new URL(address("ws://host", options, { token: "a&b", index: 3 }));
  assert.deepEqual(Object.fromEntries(searchParams), {
    interim_results: "true",
    sample_rate: "8000",
    redact: "pci,ssn",
    events: "true",
    resume: "a&b",
    from: "3",
  });
});

test("waits grow to a bound, and the first is short if the server asks for it", () => {
  const backoff = { jitter: () => 1 };
  const waits = [1, 2, 3, 4, 5, 6, 5000].map((attempt) => delayOf(backoff, attempt));
  assert.deepEqual(waits, [0.5, 1, 2, 4, 5, 5, 5]);
  assert.equal(delayOf(backoff, 1, true), 0.1);
  assert.ok(delayOf({}, 9) <= 5);
});

test("an outage keeps to Retry-After and gives up in time", () => {
  const outage = new Outage({ jitter: () => 0 }, 100, "mark");
  assert.equal(outage.nextDelay(100, 30), 0);
  assert.equal(outage.nextDelay(101, 30, { retryAfter: 7 }), 7);
  assert.equal(outage.nextDelay(110, 30, { retryAfter: 21 }), null);
  assert.equal(outage.nextDelay(131, 30), null);
});

test("breaks without progress in between are one outage", () => {
  const outage = new Outage({}, 0, "mark");
  outage.connected(5);
  assert.equal(outage.goesOn(6, "mark"), true);
  assert.equal(outage.goesOn(6, "further"), false);
  assert.equal(outage.goesOn(16, "mark"), false);
});

test("what may pass is tried again", () => {
  for (const code of [1001, 1006, 1011, 1012, 1013]) {
    assert.equal(mayPass(new errors.ConnectionLost(code, "")), true);
  }
  for (const code of [1000, 1008, 1009]) {
    assert.equal(mayPass(new errors.ConnectionLost(code, "")), false);
  }
  for (const [status, may] of [[429, true], [503, true], [400, false], [401, false], [403, false]]) {
    assert.equal(mayPass(new errors.Refused(status, "")), may);
  }
});

test("a refusal is read from the answer", () => {
  const told = refused(400, '{"error":"beyond","index":1}', null, 0);
  assert.deepEqual([told.said, told.index, told.retryAfter], ["beyond", 1, null]);
  assert.equal(refused(503, "full", " 5 ", 0).retryAfter, 5);
  assert.equal(refused(503, "", "Thu, 01 Jan 1970 00:01:00 GMT", 50).retryAfter, 10);
  for (const index of ['"1"', "true", "-1", "null"]) {
    assert.equal(refused(400, `{"error":"beyond","index":${index}}`, null, 0).index, null);
  }
  assert.match(refused(500, "", null, 0).message, /no reason given/);
});

test("a failed callback for a token is told by what it threw", () => {
  const told = new errors.TokenFailed(new Error("401 at /tokens"));
  assert.match(told.message, /401 at/);
});

test("room is bounded by bytes, and one message fits whatever its size", () => {
  const outbox = new Outbox(100);
  assert.equal(outbox.hasRoom(1000), true);
  outbox.add(new Uint8Array(60));
  assert.equal(outbox.hasRoom(40), true);
  assert.equal(outbox.hasRoom(41), false);
});

test("an interim gives way to what follows, finals wait, and then the error comes", async () => {
  const inbox = new Inbox(2);
  const final = (index) => ({ type: "final", index });
  inbox.put({ type: "interim" });
  inbox.put(final(1));
  inbox.put(final(2));
  assert.throws(() => inbox.put(final(3)), errors.ResultsUnread);
  inbox.close(new errors.ServerSilent(1));
  inbox.close();
  assert.deepEqual([(await inbox.get()).index, (await inbox.get()).index], [1, 2]);
  await assert.rejects(inbox.get(), errors.ServerSilent);
});

test("samples are clipped, measured and copied", () => {
  assert.deepEqual([...toPcm(Float32Array.of(0, 1, -2))], [0, 32767, -32767]);
  assert.equal(levelOf(new Int16Array(0)), 0);
  assert.ok(Math.abs(levelOf(Int16Array.of(16384, -16384)) - 0.5) < 1e-9);
  const samples = Int16Array.of(1, 2, 3).subarray(1);
  const copy = copyOf(samples);
  samples.fill(9);
  assert.deepEqual([...copy], [2, 0, 3, 0]);
});
