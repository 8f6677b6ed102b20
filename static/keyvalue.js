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

/** Keys to be told of; each new session is asked again. */
const subscribed = new Set();

const socket = new WsdSocket('./keyvalue');
socket.onopen = () => subscribed.forEach((name) => socket.send(`subscribe ${name}`));
socket.onmessage = ({ data }) => {
  if (data !== 'ready') log.add({ kind: data.startsWith('error') ? 'bad' : '', text: data });
};
socket.onstate = () => verbs.forEach((verb) => { verb.ariaDisabled = `${socket.readyState !== WsdSocket.OPEN}`; });
follow(socket);

document.querySelector('#send').addEventListener('submit', (event) => {
  event.preventDefault();
  if (socket.readyState !== WsdSocket.OPEN) return;
  const verb = event.submitter?.value ?? 'set';
  const line = verb === 'set' ? `set ${key.value} ${value.value}` : `${verb} ${key.value}`;
  if (verb === 'subscribe') subscribed.add(key.value);
  socket.send(line);
  log.add({ kind: 'sent', text: line });
});
