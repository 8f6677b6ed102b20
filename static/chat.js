// The chat page: shows what the room's program tells, and sends what is typed.

import { follow, leaveWithPage } from './header.js';
import { cell, createList } from './list.js';
import { parse } from './parse.js';
import { WsdSocket } from './wsd.js';

/** Names that are shown; a room may be larger. */
const NAMES_MAX = 100;

const STORED = 'wsd.chat.nick';

const nick = document.querySelector('#nick');
const hint = document.querySelector('#nick-hint');
const field = document.querySelector('#text');
const here = document.querySelector('#here');
const talk = createList(document.querySelector('#talk'), row);

let me = null;
let names = new Set();
let isWelcome = false; // in this session
let isRenaming = false; // by the field; /nick may be typed, too

/** The messages on the page: after a lost connection they stay, and only others are added. */
const shown = new Set();

/** What each kind of message does; before its welcome a newcomer heeds none. */
const ACTS = {
  welcome({ you, here, history }) {
    names = new Set(here);
    isWelcome = true;
    talk.remove('.waits');
    if (me !== null) talk.add({ type: 'begin', text: 'Connected again' });
    history.filter(({ id }) => !shown.has(id)).forEach(show);
    const wanted = new URL(socket.url).searchParams.get('nick');
    if (wanted !== null && wanted !== you) tellNick(`${wanted} is taken: you are ${you}.`);
    beCalled(you);
  },
  join({ who }) { names.add(who); },
  leave({ who }) { names.delete(who); },
  nick({ who, now }) {
    names.delete(who);
    names.add(now);
    if (who !== me) return;
    if (isRenaming) nick.value = now;
    store(now);
    beCalled(now);
    tellNick('');
    if (isRenaming) field.focus();
    isRenaming = false;
  },
  message() {},
  action() {},
  error() {},
};

function receive({ data }) {
  const message = parse(data);
  if (!Object.hasOwn(ACTS, message?.type) || (!isWelcome && message.type !== 'welcome')) return;
  if (message.about === 'nick' && isRenaming) {
    refuseNick(message.text);
    return;
  }
  ACTS[message.type](message);
  if (message.type !== 'welcome') show(message);
  showNames();
}

function show(message) {
  if (message.id) shown.add(message.id);
  talk.add(message);
}

/** Tells of a nickname at its field, where the next one can be typed at once. */
function refuseNick(why) {
  isRenaming = false;
  tellNick(why);
  nick.ariaInvalid = 'true';
  nick.focus();
  nick.select();
}

function tellNick(words) {
  hint.textContent = words;
  nick.ariaInvalid = null;
}

/** Keeps the name: a later session asks for it in its address. What is just being typed stays. */
function beCalled(name) {
  if (document.activeElement !== nick || nick.value === me) nick.value = name;
  me = name;
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
  if (message.type === 'begin') {
    item.className = 'begin';
    item.append(cell('text', message.text));
    return;
  }
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
  if (socket.readyState === WsdSocket.CLOSED) return;
  isRenaming = nick.value !== me;
  socket.send(`/nick ${nick.value}`);
}

const socket = new WsdSocket(address(stored()), [], { resume: true });
socket.onopen = () => { isWelcome = false; };
socket.onresume = ({ detail }) => { if (detail.resumed) talk.remove('.waits'); };
socket.onmessage = receive;
follow(socket);
leaveWithPage(socket);
document.querySelector('#send').addEventListener('submit', send);
document.querySelector('#rename').addEventListener('submit', rename);
nick.addEventListener('input', () => tellNick(''));
