// The counter page: shows each line as it arrives, and sends what is typed.

import { follow } from './header.js';
import { cell, createList } from './list.js';
import { WsdSocket } from './wsd.js';

const latest = document.querySelector('#latest');
const field = document.querySelector('#line');
const submit = document.querySelector('#submit');
const log = createList(document.querySelector('#log'), row);

let openedAt = 0;
let isFirst = true;
let newest = null;

function showState() {
  if (socket.state.name === 'connecting') showLatest('');
  submit.ariaDisabled = `${socket.readyState !== WsdSocket.OPEN}`;
}

function begin() {
  openedAt = performance.now();
  isFirst = true;
}

function receive(data) {
  const text = typeof data === 'string' ? data : new TextDecoder().decode(data);
  add(text, false);
  showLatest(text);
}

function send(event) {
  event.preventDefault();
  if (socket.readyState !== WsdSocket.OPEN) return;
  socket.send(field.value);
  add(field.value, true);
  field.value = '';
}

function add(text, sent) {
  log.add({ seconds: (performance.now() - openedAt) / 1000, text, sent, first: isFirst });
  isFirst = false;
}

function row(item, { seconds, text, sent, first }) {
  item.classList.toggle('first', first);
  item.classList.toggle('sent', sent);
  item.append(cell('time', `${seconds.toFixed(1)} s`), ' ', cell('text', text));
  if (sent) item.append(' ', cell('tag', 'sent'));
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

/** One count is one session, whatever happens to its connection: another begins when the button is pressed, never by itself. */
const socket = new WsdSocket('./counter', [], { retry: () => false, resume: true });
socket.binaryType = 'arraybuffer';
socket.onopen = begin;
socket.onmessage = ({ data }) => receive(data);
socket.onstate = showState;
follow(socket);
showState();
