// Small behaviours that HTML cannot do. Everything works without them, only less comfortably.

const TOAST_MS = 6000;
const toasts = document.getElementById("toasts");

document.addEventListener("click", (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) return copyText(copy);
  const close = event.target.closest("[data-close]");
  if (close) return close.closest(".toast, dialog")?.[close.closest("dialog") ? "close" : "remove"]();
  closeMenus(event.target);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector("details.menu[open], details.drawer-menu[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

// A hidden tab asks for nothing: the next look brings it up to date.
document.addEventListener("htmx:before:request", (event) => {
  const source = event.detail.ctx?.sourceElement;
  if (document.hidden && source?.matches("[data-live]")) event.preventDefault();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  for (const live of document.querySelectorAll("[data-live]")) live.dispatchEvent(new CustomEvent("refresh"));
});

// The server names a toast in HX-Trigger: {"toast": {"text": ...}}.
document.addEventListener("toast", (event) => showToast(event.detail?.text));

async function copyText(button) {
  await navigator.clipboard.writeText(button.dataset.copy);
  showToast("Copied.");
}

function showToast(text) {
  if (!text) return;
  const toast = document.createElement("div");
  toast.className = "toast pop";
  toast.textContent = text;
  toasts.replaceChildren(toast);
  dismissLater(toast);
}

function dismissLater(toast) {
  setTimeout(() => (toast.matches(":hover, :focus-within") ? dismissLater(toast) : toast.remove()), TOAST_MS);
}

function closeMenus(target) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(target)) menu.open = false;
  }
}

for (const toast of toasts.children) dismissLater(toast);
