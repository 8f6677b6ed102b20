// The news page: answers the program's event with another, and shows what either side received.

import { follow } from './header.js';
import { cell, createList } from './list.js';
import { parse } from './parse.js';
import { WsdSocket } from './wsd.js';

const field = document.querySelector('#text');
const submit = document.querySelector('#submit');
const page = createList(document.querySelector('#page'), row);
const program = createList(document.querySelector('#program'), row);

/** What the page does on each event. */
const ACTS = {
  news(data) {
    page.add({ event: 'news', data });
    emit('my other event', { my: 'data' });
  },
  /** The program tells back what has reached it. */
  received({ event, data }) {
    program.add({ event, data });
  },
};

function emit(event, data) {
  socket.send(JSON.stringify({ event, data }));
}

function receive({ data }) {
  const message = parse(data);
  if (Object.hasOwn(ACTS, message?.event) && message.data) ACTS[message.event](message.data);
}

function row(item, { event, data, session }) {
  if (session) {
    item.className = 'begin';
    item.append(cell('text', session));
    return;
  }
  item.append(cell('event', String(event)), ' ', cell('text', JSON.stringify(data) ?? ''));
}

let sessions = 0;

/** Marks a new session in both lists. */
function begin() {
  sessions += 1;
  const time = new Date().toLocaleTimeString();
  for (const list of [page, program]) list.add({ session: `session ${sessions}, ${time}` });
}

const socket = new WsdSocket('./news', [], { resume: true });
socket.onopen = begin;
socket.onmessage = receive;
socket.onstate = () => { submit.ariaDisabled = `${socket.readyState !== WsdSocket.OPEN}`; };
follow(socket);

document.querySelector('#send').addEventListener('submit', (event) => {
  event.preventDefault();
  if (socket.readyState !== WsdSocket.OPEN || field.value === '') return;
  emit('note', { text: field.value });
  field.value = '';
});
