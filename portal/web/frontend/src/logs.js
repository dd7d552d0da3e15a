// Follow logs as they are written.  Without this script, or when the stream will not come, the page's own last
// lines stay.  A hidden tab holds no connection: a browser has six of them for all tabs together.
const MOST_LINES = 5000;
const ENOUGH = 24;
// After these ends another attempt may begin, or the same one be reached again.
const OVER = new Set(["ended", "not_running", "no_logs_yet"]);
const AGAIN = new Set(["cluster_unreachable", "refused"]);

function follow(part) {
  if (part.dataset.follows) return;
  part.dataset.follows = "yes";
  const console_ = part.querySelector("[data-lines]");
  const end = part.querySelector("[data-end]");
  let source = null;

  function add(line) {
    const isAtEnd = console_.scrollHeight - console_.scrollTop - console_.clientHeight < ENOUGH;
    console_.append(`${line}\n`);
    while (console_.childNodes.length > MOST_LINES) console_.firstChild.remove();
    if (isAtEnd) console_.scrollTop = console_.scrollHeight;
  }

  // The part is asked for until there is something to follow again; what was read stays until then.
  function lookAgain(code, attempt) {
    if (attempt && attempt !== part.dataset.current) return;
    if (!OVER.has(code) && !AGAIN.has(code)) return;
    const query = OVER.has(code) ? `?over=${part.dataset.current}` : "";
    const timer = setInterval(async () => {
      if (!part.isConnected || !part.dataset.over) return clearInterval(timer);
      if (document.hidden) return;
      const answer = await fetch(part.dataset.part + query, { headers: { "HX-Request": "true" } }).catch(() => null);
      if (!answer?.ok || !part.isConnected) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-stream]");
      if (!fresh) return;
      clearInterval(timer);
      part.replaceWith(fresh);
      follow(fresh);
    }, part.dataset.poll * 1000);
  }

  function open() {
    const chosen = part.querySelector("[data-attempt]")?.value;
    source = new EventSource(part.dataset.stream + (chosen ? `?attempt=${chosen}` : ""));
    let isFirst = true;
    source.addEventListener("message", (event) => {
      if (isFirst) {
        // The stream begins with the last lines again.
        console_.replaceChildren();
        console_.hidden = false;
        end.hidden = true;
      }
      isFirst = false;
      add(event.data);
    });
    source.addEventListener("end", (event) => {
      close();
      const { code, words } = JSON.parse(event.data);
      end.textContent = words || part.dataset[code === "too_long" ? "tooLong" : "ended"];
      end.hidden = false;
      part.dataset.over = code;
      lookAgain(code, chosen);
    });
    source.addEventListener("error", () => {
      // What breaks off is opened again by the browser; what is refused is not.
      if (source?.readyState !== EventSource.CLOSED) return;
      close();
      end.textContent = part.dataset.refused;
      end.hidden = false;
      part.dataset.over = "refused";
      lookAgain("refused", chosen);
    });
  }

  function close() {
    source?.close();
    source = null;
  }

  part.querySelector("[data-attempt]")?.addEventListener("change", () => {
    close();
    delete part.dataset.over;
    open();
  });
  document.addEventListener("visibilitychange", () => {
    close();
    if (!document.hidden && part.isConnected && !part.dataset.over) open();
  });
  if (!document.hidden) open();
}

document.querySelectorAll("[data-stream]").forEach(follow);
// The part comes after its page, so it may be there only now.
document.addEventListener("htmx:load", (event) => {
  const loaded = event.detail.elt;
  if (loaded.matches("[data-stream]")) follow(loaded);
  loaded.querySelectorAll("[data-stream]").forEach(follow);
});
