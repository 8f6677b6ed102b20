// The calculator page: sends lines to bc, and shows them with what it answers.

import { follow } from './header.js';
import { cell, createList } from './list.js';
import { WsdSocket } from './wsd.js';

const field = document.querySelector('#line');
const submit = document.querySelector('#submit');
const log = createList(document.querySelector('#log'), (item, { kind, text }) => {
  item.className = kind;
  item.append(cell('text', text));
});

const socket = new WsdSocket('./calculator');
let sessions = 0;
socket.onopen = () => {
  sessions += 1;
  if (sessions > 1) log.add({ kind: 'begin', text: 'a new bc, without the old variables' });
};
socket.onmessage = ({ data }) => log.add({ kind: 'answer', text: data });
socket.onstate = () => { submit.ariaDisabled = `${socket.readyState !== WsdSocket.OPEN}`; };
follow(socket);

function ask(line) {
  if (socket.readyState !== WsdSocket.OPEN || line.trim() === '') return;
  log.add({ kind: 'asked', text: line });
  socket.send(line);
  asked.push(line);
  at = asked.length;
  field.value = '';
}

/** Lines asked so far: the arrows bring them back, as in a shell. */
const asked = [];
let at = 0;

function recall(event) {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  at = Math.min(Math.max(at + step, 0), asked.length);
  field.value = asked[at] ?? '';
}

document.querySelector('#send').addEventListener('submit', (event) => {
  event.preventDefault();
  ask(field.value);
});
field.addEventListener('keydown', recall);
for (const button of document.querySelectorAll('.tries button')) {
  button.addEventListener('click', () => ask(button.textContent));
}
