/** How a session comes back: which waits it keeps to, and when it gives up. */

import assert from "node:assert/strict";
import test from "node:test";

import { ConnectionLost, ReconnectFailed, Refused, ServerSilent, TokenFailed } from "../../src/errors.js";
import { Protocol } from "../../src/protocol.js";
import { Reconnector } from "../../src/reconnector.js";
import { parse } from "../../src/wire.js";

const LOST = new ConnectionLost(1006, "");
const RESUMED = parse('{"status":"session","session":"s-1","client_id":7,"resumed":true}');
const NEVER = new AbortController().signal;

/** Comes back through tries that fail; returns the events, and the places that were asked for. */
async function comeBack(failures, { patience = null, signal = NEVER, finals = 0 } = {}) {
  const protocol = new Protocol(1000, 32_000);
  const opened = '{"status":"session","session":"s-1","client_id":7,"token":"s-1.secret"}';
  protocol.identity.take(parse(opened));
  for (let index = 1; index <= finals; index += 1) {
    const [start, end] = [index - 1, index];
    protocol.receive(JSON.stringify({ status: "transcript", index, text: "word", start, end }));
  }
  const [places, events, left] = [[], [], [...failures]];
  const open = async (place) => {
    places.push(place.index);
    if (left.length > 0) throw left.shift();
    return { connection: { close() {} }, opened: RESUMED };
  };
  const reconnector = new Reconnector({ open }, protocol, patience, { jitter: () => 0 });
  const { event } = await reconnector.reconnect(LOST, (each) => events.push(each), signal);
  return { tries: events, places, event };
}

test("what may pass is tried again, and Retry-After is kept", async () => {
  const failures = [new Refused(503, "full", 1), new TokenFailed(new Error("away")), LOST];
  const { tries, event } = await comeBack(failures);
  assert.deepEqual(tries.map(({ attempt }) => attempt), [1, 2, 3, 4]);
  assert.deepEqual(tries.map(({ delay }) => delay), [0, 1, 0, 0]);
  assert.match(tries[1].why, /full/);
  assert.equal(event.type, "resumed");
});

test("a Retry-After beyond all patience ends it at once", async () => {
  await assert.rejects(comeBack([new Refused(429, "day", 3600)], { patience: 5 }), ReconnectFailed);
});

test("a refusal that will not pass is thrown", async () => {
  await assert.rejects(comeBack([new Refused(403, "not for you")]), { status: 403 });
});

test("a client ahead of the server comes back from what that has, and asks once", async () => {
  const beyond = new Refused(400, "beyond", null, 1);
  const { places } = await comeBack([beyond], { finals: 3 });
  assert.deepEqual(places, [3, 1]);
  await assert.rejects(comeBack([beyond, beyond], { finals: 3 }), { status: 400 });
});

test("an abort ends the wait for the next try", async () => {
  const aborting = new AbortController();
  const back = comeBack([new Refused(503, "full", 20)], { signal: aborting.signal });
  setTimeout(() => aborting.abort(new Error("enough")), 20);
  await assert.rejects(back, { message: "enough" });
});

test("silence is a broken connection once, and an error if nothing came of the next one", () => {
  const protocol = new Protocol(1000, 32_000);
  const reconnector = new Reconnector({}, protocol, null, {});
  assert.equal(reconnector.canHelp(new ServerSilent(60)), true);
  assert.equal(reconnector.canHelp(new ServerSilent(60)), false);
  assert.equal(new Reconnector({}, protocol, 0, {}).canHelp(LOST), false);
});
