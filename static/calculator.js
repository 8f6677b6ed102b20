// The calculator page: sends lines to bc, and shows them with what it answers.

import { follow } from './header.js';
import { cell, createList } from './list.js';
import { WsdSocket } from './wsd.js';

/** Another tab has the session. */
const TAKEN_OVER = 4409;

const field = document.querySelector('#line');
const submit = document.querySelector('#submit');
const form = document.querySelector('#send');
const over = document.querySelector('#over');
const fresh = document.querySelector('#fresh');
const log = createList(document.querySelector('#log'), (item, { kind, text }) => {
  item.className = kind;
  item.append(cell('text', text));
});

/** The variables outlive a reload of the page, too. */
const socket = new WsdSocket('./calculator', [], { resume: 'tab' });
let sessions = 0;
socket.onopen = () => {
  sessions += 1;
  if (sessions > 1) log.add({ kind: 'begin', text: 'a new bc, without the old variables' });
};
socket.onmessage = ({ data }) => log.add({ kind: kindOf(data), text: data });
socket.onresume = ({ detail }) => {
  if (detail.resumed && sessions === 0) log.add({ kind: 'begin', text: 'the same bc, with its variables' });
  sessions ||= Number(detail.resumed);
};
socket.onclose = ({ code }) => { if (code === 1000) log.add({ kind: 'begin', text: 'bc has ended' }); };
socket.onstate = ({ detail }) => {
  document.querySelector('#elsewhere').hidden = detail.code !== TAKEN_OVER;
  document.querySelector('#ended').hidden = detail.code === TAKEN_OVER;
  submit.ariaDisabled = `${socket.readyState !== WsdSocket.OPEN}`;
  showEnd(socket.readyState === WsdSocket.CLOSED);
};
follow(socket);

/** Errors come as lines among the answers: of numbers only, they are known by their words. */
function kindOf(line) {
  if (/\berror\b/i.test(line)) return 'bad';
  return /\bwarning\b/i.test(line) ? 'wait' : 'answer';
}

/** Offers another bc in the place of the form: after `quit` none starts by itself. The focus goes along. */
function showEnd(isOver) {
  if (over.hidden !== isOver) return;
  const hasFocus = [form, over].some((place) => place.contains(document.activeElement));
  over.hidden = !isOver;
  form.hidden = isOver;
  if (hasFocus) (isOver ? fresh : field).focus();
}

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

fresh.addEventListener('click', () => socket.reconnect());
form.addEventListener('submit', (event) => {
  event.preventDefault();
  ask(field.value);
});
field.addEventListener('keydown', recall);
for (const button of document.querySelectorAll('.tries button')) {
  button.addEventListener('click', () => ask(button.textContent));
}
