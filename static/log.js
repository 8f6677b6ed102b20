// The log page: sends the filter, and shows the lines of the log that come through it.

import { follow } from './header.js';
import { cell, createList } from './list.js';
import { parse } from './parse.js';
import { WsdSocket } from './wsd.js';

const field = document.querySelector('#filter');
const title = document.querySelector('#lines-title');
const lines = createList(document.querySelector('#lines'), row);

function receive({ data }) {
  const message = parse(data);
  if (typeof message?.line === 'string') lines.add(message.line);
  if (typeof message?.filter === 'string') begin(message.filter);
}

/** From here on, lines are those of a new filter, older ones first. */
function begin(filter) {
  lines.clear();
  title.textContent = filter === '' ? 'All lines' : `Lines with ${filter.split(/\s+/).join(' and ')}`;
}

/** The level of a line, told apart by a mark as well as a colour. */
function row(item, line) {
  item.className = /\b(ERROR|FATAL)\b/.test(line) ? 'bad' : /\bWARN(ING)?\b/.test(line) ? 'wait' : '';
  item.append(cell('text', line));
}

const socket = new WsdSocket('./log', [], { resume: true });
socket.onmessage = receive;
socket.onopen = () => {
  lines.clear();
  if (field.value.trim() !== '') socket.send(field.value);
};
follow(socket);

document.querySelector('#send').addEventListener('submit', (event) => {
  event.preventDefault();
  if (socket.readyState === WsdSocket.OPEN) socket.send(field.value);
});
