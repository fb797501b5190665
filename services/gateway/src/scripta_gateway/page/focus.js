/**
 * Keeps the focus on a control that can be used.
 *
 * A browser gives the focus to the page's body when the control that has it is disabled or
 * hidden. Then the keyboard starts again at the top, and a screen reader loses its place.
 */

/** Where the focus goes from a control that can not be used any more, best first. */
const HEIRS = {
  connect: ["disconnect"],
  end: ["disconnect", "connect"],
  disconnect: ["connect"],
  reconnect: ["microphone"],
  file: ["stop-file", "microphone"],
  "stop-file": ["file"],
  copy: ["microphone"],
  clear: ["microphone"],
};

const usable = (element) => !element.disabled && element.getClientRects().length > 0;

/** Hands the focus on if its control was just disabled or hidden. Call it in the same task. */
export function keepFocus() {
  const active = document.activeElement;
  if (active === null || active === document.body || usable(active)) return;
  const heirs = (HEIRS[active.id] ?? []).map((id) => document.getElementById(id));
  (heirs.find(usable) ?? document.getElementById("transcript-heading")).focus();
}
