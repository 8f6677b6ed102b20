// The key-value page: sends commands for redis-cli, and shows what comes back.

import { follow } from './header.js';
import { cell, createList } from './list.js';
import { WsdSocket } from './wsd.js';

const key = document.querySelector('#key');
const value = document.querySelector('#value');
const verbs = document.querySelectorAll('.verbs button');
const log = createList(document.querySelector('#log'), (item, { kind, text }) => {
  item.className = kind;
  item.append(cell('text', text));
});

const missing = document.querySelector('#missing');

/** Keys to be told of; each new session is asked again. */
const subscribed = new Set();

/** Whether the program of this session has said that a Redis server answers. */
let isReady = false;

const socket = new WsdSocket('./keyvalue', [], { resume: true });
socket.onmessage = ({ data }) => {
  const [word, what, ...why] = data.split(' ');
  if (word === 'ready') {
    isReady = true;
    showReady();
    missing.hidden = true;
    subscribed.forEach((name) => socket.send(`subscribe ${name}`));
  } else if (word === 'missing') {
    showMissing(what, why.join(' '));
  } else {
    log.add({ kind: word === 'error' ? 'bad' : '', text: data });
  }
};
socket.onopen = () => {
  isReady = false;
  showReady();
};
socket.onstate = showReady;
follow(socket);
showReady();

function canAsk() {
  return isReady && socket.readyState === WsdSocket.OPEN;
}

function showReady() {
  verbs.forEach((verb) => { verb.ariaDisabled = `${!canAsk()}`; });
}

/** Says what is missing, redis-cli or a server, and how to get it. */
function showMissing(what, why) {
  document.querySelector('#missing-server').hidden = what !== 'server';
  document.querySelector('#missing-cli').hidden = what !== 'redis-cli';
  document.querySelector('#why').textContent = why;
  missing.hidden = false;
}

document.querySelector('#send').addEventListener('submit', (event) => {
  event.preventDefault();
  if (!canAsk()) return;
  const verb = event.submitter?.value ?? 'set';
  const line = verb === 'set' ? `set ${key.value} ${value.value}` : `${verb} ${key.value}`;
  if (verb === 'subscribe') subscribed.add(key.value);
  socket.send(line);
  log.add({ kind: 'sent', text: line });
});
