// The one-line chat: every line that anybody sends comes back to all, from `cat`.

import { follow } from './header.js';
import { cell, createList } from './list.js';
import { WsdSocket } from './wsd.js';

const field = document.querySelector('#text');
const talk = createList(document.querySelector('#talk'), (item, line) => item.append(cell('text', line)));

const socket = new WsdSocket('./cat-chat');
socket.onopen = () => talk.clear(); // the last lines come again
socket.onmessage = ({ data }) => talk.add(data);
follow(socket);

document.querySelector('#send').addEventListener('submit', (event) => {
  event.preventDefault();
  if (field.value === '' || socket.readyState === WsdSocket.CLOSED) return;
  socket.send(field.value);
  field.value = '';
});
