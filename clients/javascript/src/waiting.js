/** Waits that an abort ends; none leaves a timer behind, which would keep a program in Node alive. */

/**
 * Returns what a promise brings; throws the signal's reason if that is aborted before.
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 */
export async function unlessAborted(promise, signal) {
  signal.throwIfAborted();
  /** @type {() => void} */
  let stop = () => {};
  const aborted = new Promise((/** @type {(_: never) => void} */ _, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/**
 * Returns what a promise brings, null if it takes longer; throws as `unlessAborted`.
 * @template T
 * @param {Promise<T>} promise
 * @param {number} seconds
 * @param {AbortSignal} signal
 * @returns {Promise<T | null>}
 */
export async function within(promise, seconds, signal) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((/** @type {(_: null) => void} */ resolve) => {
    timer = setTimeout(() => resolve(null), seconds * 1000);
  });
  try {
    return await unlessAborted(Promise.race([promise, late]), signal);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Waits for so many seconds; throws as `unlessAborted`.
 * @param {number} seconds
 * @param {AbortSignal} signal
 */
export async function sleep(seconds, signal) {
  await within(new Promise(() => {}), seconds, signal);
}
