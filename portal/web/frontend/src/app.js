// What every page gets besides htmx: followed logs, copy buttons, and a word when the connection is gone.

function follow(element) {
  element.scrollTop = element.scrollHeight;
}

function isAtEnd(element) {
  return element.scrollHeight - element.scrollTop - element.clientHeight < 24;
}

// A reader who has scrolled up keeps the place; one at the end stays at the end.
const followed = new Set();

document.addEventListener("htmx:beforeSwap", (event) => {
  // What is being read or filled in is not pulled away; the next poll brings the news.
  if (event.target.querySelector?.("[popover]:popover-open")) {
    event.detail.shouldSwap = false;
    return;
  }
  for (const element of event.target.querySelectorAll?.("[data-follow]") ?? []) {
    if (isAtEnd(element)) followed.add(element.id);
    else followed.delete(element.id);
  }
});

document.addEventListener("htmx:afterSettle", () => {
  for (const element of document.querySelectorAll("[data-follow]")) {
    if (followed.has(element.id)) follow(element);
  }
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.dataset.copied = "";
  button.setAttribute("aria-label", button.dataset.copiedLabel);
});

const offline = () => document.getElementById("offline");
document.addEventListener("htmx:sendError", () => offline()?.removeAttribute("hidden"));
document.addEventListener("htmx:afterOnLoad", () => offline()?.setAttribute("hidden", ""));

for (const element of document.querySelectorAll("[data-follow]")) {
  followed.add(element.id);
  follow(element);
}
