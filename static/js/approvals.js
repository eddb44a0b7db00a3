// The inbox by keyboard: J/K move, Enter opens, 1/2/3 go to an answer. Without it, links and buttons do the same.

const rows = () => [...document.querySelectorAll("[data-request]")];

// Says which row comes `step` after the focused (else the open) one; pure, so that it can be tested apart.
export function target(count, current, step) {
  if (count === 0) return -1;
  if (current < 0) return step > 0 ? 0 : count - 1;
  return Math.min(count - 1, Math.max(0, current + step));
}

// Single letters must not act while somebody types, nor take over a browser's or a reader's own keys.
export function isTyping(element) {
  return Boolean(element?.closest?.("input, textarea, select, [contenteditable], dialog"));
}

function move(step) {
  const all = rows();
  const focused = all.indexOf(document.activeElement);
  const current = focused >= 0 ? focused : all.findIndex((row) => row.hasAttribute("aria-current"));
  const next = all[target(all.length, focused >= 0 || current < 0 ? current : current - step, step)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

// A key only goes to the answer: a second, deliberate Enter gives it.
function goTo(key) {
  document.querySelector(`[data-answer] [data-key="${key}"]:not([disabled])`)?.focus();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const key = event.key.toLowerCase();
  if (key === "j") move(1);
  else if (key === "k") move(-1);
  else if (["1", "2", "3"].includes(key)) goTo(key);
  else return;
  event.preventDefault();
}

// htmx puts only the request into its pane; the list is marked here.
function onClick(event) {
  const row = event.target.closest("[data-request]");
  if (!row) return;
  for (const other of rows()) other.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
  row.closest(".panes")?.classList.add("open");
}

if (typeof document !== "undefined") {
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", onClick);
  // After a decision the next request is here: its row takes the focus, so that J, K and 1 go on from it.
  const decided = document.querySelector("#toasts .toast");
  (document.querySelector("#refusal") ?? (decided && document.querySelector("[data-request][aria-current]")))?.focus();
}
