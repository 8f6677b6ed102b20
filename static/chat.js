// The chat page: shows what the room's program tells, and sends what is typed.

import { follow } from './header.js';
import { cell, createList } from './list.js';
import { parse } from './parse.js';
import { WsdSocket } from './wsd.js';

/** Names that are shown; a room may be larger. */
const NAMES_MAX = 100;

const STORED = 'wsd.chat.nick';

const nick = document.querySelector('#nick');
const field = document.querySelector('#text');
const here = document.querySelector('#here');
const talk = createList(document.querySelector('#talk'), row);

let me = null;
let names = new Set();

/** What each kind of message does; before its welcome a newcomer heeds none. */
const ACTS = {
  welcome({ you, here, history }) {
    names = new Set(here);
    talk.clear();
    history.forEach(talk.add);
    beCalled(you);
  },
  join({ who }) { names.add(who); },
  leave({ who }) { names.delete(who); },
  nick({ who, now }) {
    names.delete(who);
    names.add(now);
    if (who !== me) return;
    store(now);
    beCalled(now);
  },
  message() {},
  action() {},
  error() {},
};

function receive({ data }) {
  const message = parse(data);
  if (!Object.hasOwn(ACTS, message?.type) || (me === null && message.type !== 'welcome')) return;
  ACTS[message.type](message);
  if (message.type !== 'welcome') talk.add(message);
  showNames();
}

/** Keeps the name: a later session asks for it in its address. */
function beCalled(name) {
  me = name;
  nick.value = name;
  socket.url = address(name);
}

function address(name) {
  return name ? `./chat?nick=${encodeURIComponent(name)}` : './chat';
}

function store(name) {
  try {
    localStorage.setItem(STORED, name);
  } catch { /* A browser may forbid it; then the name lasts as long as the page. */ }
}

function stored() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null;
  }
}

function showNames() {
  const sorted = [...names].sort((a, b) => a.localeCompare(b));
  const items = sorted.slice(0, NAMES_MAX).map((name) => {
    const item = document.createElement('li');
    item.append(cell('', name));
    if (name === me) item.append(' ', cell('quiet', '(you)'));
    return item;
  });
  here.replaceChildren(...items);
  document.querySelector('#here-title').textContent = `Here now: ${names.size}`;
}

const SENTENCES = {
  join: () => 'joined',
  leave: () => 'left',
  nick: ({ now }) => `is now ${now}`,
  action: ({ text }) => text,
};

function row(item, message) {
  const time = new Date((message.time ?? Date.now() / 1000) * 1000);
  item.className = message.type;
  item.classList.toggle('sent', message.type === 'message' && message.who === me);
  item.append(cell('time', time.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })), ' ');
  const said = document.createElement('p');
  said.className = 'text';
  if (message.who) said.append(cell('who', message.who), ' ');
  said.append(cell('what', SENTENCES[message.type]?.(message) ?? message.text));
  item.append(said);
}

function send(event) {
  event.preventDefault();
  if (field.value.trim() === '' || socket.readyState === WsdSocket.CLOSED) return;
  try {
    socket.send(field.value);
    if (socket.readyState !== WsdSocket.OPEN) talk.add({ type: 'waits', text: `To be sent: ${field.value}` });
    field.value = '';
  } catch (error) {
    talk.add({ type: 'error', text: `Not sent: ${error.message}.` });
  }
}

function rename(event) {
  event.preventDefault();
  socket.send(`/nick ${nick.value}`);
  field.focus();
}

const socket = new WsdSocket(address(stored()));
socket.onmessage = receive;
follow(socket);
document.querySelector('#send').addEventListener('submit', send);
document.querySelector('#rename').addEventListener('submit', rename);
