// The counter page: shows each line as it arrives, and sends what is typed.

import { showClosed, showConnecting, showOpen } from './header.js';
import { createLog } from './log.js';

const latest = document.querySelector('#latest');
const field = document.querySelector('#line');
const submit = document.querySelector('#submit');
const log = createLog(document.querySelector('#log'));

let socket;
let listeners = new AbortController();
let openedAt = 0;
let newest = null;

/** The WebSocket beside this page: `ws:` for `http:`, `wss:` for `https:`. */
function address() {
  const url = new URL('./', location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  return url;
}

/** Starts a session; one that still runs is left first, and its end is not shown. */
function connect() {
  listeners.abort();
  socket?.close();

  listeners = new AbortController();
  const { signal } = listeners;
  let opened = false;
  socket = new WebSocket(address());
  socket.binaryType = 'arraybuffer';
  socket.addEventListener('open', () => { opened = true; begin(); }, { signal });
  socket.addEventListener('message', (event) => receive(event.data), { signal });
  socket.addEventListener('close', (event) => end(event, opened), { signal });

  showConnecting();
  showLatest('');
  submit.ariaDisabled = 'true';
}

function begin() {
  openedAt = performance.now();
  log.begin();
  showOpen();
  submit.ariaDisabled = 'false';
}

function receive(data) {
  const text = typeof data === 'string' ? data : new TextDecoder().decode(data);
  log.add(secondsOpen(), text);
  showLatest(text);
}

function end(event, opened) {
  showClosed(event, opened);
  submit.ariaDisabled = 'true';
}

function send(event) {
  event.preventDefault();
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.send(field.value);
  log.add(secondsOpen(), field.value, true);
  field.value = '';
}

function secondsOpen() {
  return (performance.now() - openedAt) / 1000;
}

/** Shows `text` large, once a frame: of a flood only the newest line. */
function showLatest(text) {
  if (newest === null) requestAnimationFrame(renderLatest);
  newest = text;
}

/** The style sheet fits the size to the length; a new element starts the animation again. */
function renderLatest() {
  const shown = document.createElement('span');
  shown.textContent = newest.slice(0, 200);
  latest.style.setProperty('--length', Math.max(1, shown.textContent.length));
  latest.replaceChildren(shown);
  newest = null;
}

document.querySelector('#send').addEventListener('submit', send);
document.querySelector('#reconnect').addEventListener('click', connect);
connect();
