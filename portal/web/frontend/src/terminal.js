// A terminal in an instance: what is typed goes out as bytes, what comes back is printed.  The page says in
// words why a connection has ended; the portal sends only the code of it.
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";

const holder = document.getElementById("terminal");
const state = document.getElementById("terminal-state");
const again = document.getElementById("terminal-again");
const words = JSON.parse(holder.dataset.words);

// The terminal writes style sheets of its own; the content security policy lets those with the page's nonce in.
const create = document.createElement.bind(document);
document.createElement = (name, options) => {
  const element = create(name, options);
  if (name === "style") element.nonce = holder.dataset.nonce;
  return element;
};

const terminal = new Terminal({
  fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--font-mono") || "monospace",
  fontSize: 14,
  // Less, and underscores are cut off.
  lineHeight: 1.25,
  scrollback: 5000,
  cursorBlink: true,
  theme: { background: "#0f1819", foreground: "#dde4de", cursor: "#8fd3bf", selectionBackground: "#35504a" },
});
const fit = new FitAddon();
terminal.loadAddon(fit);
terminal.open(holder);
fit.fit();
terminal.textarea.setAttribute("aria-label", holder.dataset.label);
// Tab belongs to the shell; Shift+Tab leads out of the terminal again.
terminal.attachCustomKeyEventHandler((event) => !(event.key === "Tab" && event.shiftKey));

const encoder = new TextEncoder();
let socket = null;

function say(code) {
  state.textContent = words[code] ?? words.lost;
  state.dataset.code = code;
}

function connect() {
  again.hidden = true;
  say("connecting");
  const address = new URL(holder.dataset.socket, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  address.search = new URLSearchParams({ columns: terminal.cols, rows: terminal.rows });
  socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  socket.addEventListener("open", () => terminal.focus());
  socket.addEventListener("message", (message) => {
    if (state.dataset.code !== "open") say("open");
    terminal.write(new Uint8Array(message.data));
  });
  socket.addEventListener("close", (event) => {
    say(event.reason || "lost");
    again.hidden = false;
    again.focus();
  });
}

function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(message);
}

terminal.onData((text) => send(encoder.encode(text)));
terminal.onBinary((text) => send(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
terminal.onResize(({ cols, rows }) => send(JSON.stringify({ resize: [cols, rows] })));
new ResizeObserver(() => fit.fit()).observe(holder);
again.addEventListener("click", () => {
  terminal.reset();
  connect();
});
connect();
