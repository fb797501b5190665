/**
 * A hook for React, to copy: `const { finals, interim, listening, error, start, stop } = useScripta(url, token)`.
 *
 * @param {string} url The gateway.
 * @param {() => Promise<string>} token Returns a short-lived token of your server.
 */

import { useCallback, useEffect, useRef, useState } from "react";

import { connect } from "scripta-client";
import { Microphone } from "scripta-client/browser";

export function useScripta(url, token) {
  const [finals, setFinals] = useState([]);
  const [interim, setInterim] = useState("");
  const [listening, setListening] = useState(false);
  const [error, setError] = useState(null);
  const running = useRef(null);

  const start = useCallback(async () => {
    if (running.current !== null) return;
    const aborting = new AbortController();
    running.current = { aborting, microphone: null };
    setError(null);
    setListening(true);
    try {
      await listen(url, token, running.current, (event) => {
        if (event.type === "final") setFinals((before) => [...before, event]);
        if (event.type === "final" || event.type === "interim") {
          setInterim(event.type === "interim" ? event.text : "");
        }
      });
    } catch (failure) {
      if (!aborting.signal.aborted) setError(failure);
    } finally {
      await running.current?.microphone?.stop();
      running.current = null;
      setListening(false);
    }
  }, [url, token]);

  /** Stops the microphone; the words that are under way still come. */
  const stop = useCallback(() => running.current?.microphone?.stop(), []);

  useEffect(() => () => running.current?.aborting.abort(), []);
  return { finals, interim, listening, error, start, stop };
}

async function listen(url, token, run, onEvent) {
  const { signal } = run.aborting;
  run.microphone = await Microphone.open();
  signal.throwIfAborted();
  const options = { encoding: "linear16", interimResults: true, token, signal };
  const session = await connect(url, options);
  const sending = run.microphone.sendTo(session).then(() => session.end());
  sending.catch(() => session.close());
  for await (const event of session) onEvent(event);
  await sending;
}
