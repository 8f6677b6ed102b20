// The one-line chat: every line that anybody sends comes back to all, from `cat`.

import { follow } from './header.js';
import { cell, createList } from './list.js';
import { WsdSocket } from './wsd.js';

const field = document.querySelector('#text');
const talk = createList(document.querySelector('#talk'), (item, line) => item.append(cell('text', line)));

/** Lines that wsd repeats to a newcomer, by `--history`. */
const HISTORY = 50;
/** After the beginning of a session they come within this time. */
const REPEAT_MS = 300;

/** The last lines on the page. */
let shown = [];
/** The first lines of a session; `null` once they are shown. */
let first = null;

const socket = new WsdSocket('./cat-chat', [], { resume: true });
socket.onopen = () => {
  first = [];
  setTimeout(showFirst, shown.length > 0 ? REPEAT_MS : 0);
};
socket.onmessage = ({ data }) => {
  if (first === null) show(data);
  else first.push(data);
};
follow(socket);

function show(line) {
  talk.add(line);
  shown = [...shown, line].slice(-HISTORY);
}

/** Shows the first lines but those that the page has already. A server that was started again repeats none. */
function showFirst() {
  const lines = first ?? [];
  first = null;
  const isRepeated = (count) => lines.slice(0, count).every((line, at) => line === shown.at(at - count));
  let repeated = lines.length < shown.length ? 0 : shown.length;
  while (!isRepeated(repeated)) repeated -= 1;
  lines.slice(repeated).forEach(show);
}

document.querySelector('#send').addEventListener('submit', (event) => {
  event.preventDefault();
  if (field.value === '' || socket.readyState === WsdSocket.CLOSED) return;
  socket.send(field.value);
  field.value = '';
});
