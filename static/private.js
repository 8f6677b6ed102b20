// The page behind a password: shows user and password for a ticket, and opens a session with it.

import { follow } from './header.js';
import { cell, createList } from './list.js';
import { WsdSocket } from './wsd.js';

const [login, send, why] = ['#login', '#send', '#why'].map((name) => document.querySelector(name));
const log = createList(document.querySelector('#log'), (item, text) => item.append(cell('text', text)));

/** The header with user and password, as long as the page is open. */
let authorization = '';

/** The session, once there was one. */
let socket = null;

/** Gets a ticket: a token for one session. */
async function ticket() {
  const path = new URL('./private', document.baseURI).pathname;
  const response = await fetch(`./.wsd/ticket?path=${path}`, { method: 'POST', headers: { Authorization: authorization } });
  if (response.ok) return (await response.json()).ticket;
  const wait = response.headers.get('Retry-After');
  const text = {
    401: 'wsd does not know this user and password.',
    429: `Too many tries: wait ${wait} seconds.`,
  }[response.status];
  if (text) {
    // Another try with this password would be another guess.
    socket?.close();
    [login.hidden, send.hidden] = [false, true];
  }
  throw new Error(text ?? 'wsd cannot check the password now. Try again later.');
}

function base64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

login.addEventListener('submit', async (event) => {
  event.preventDefault();
  const [user, password] = ['#user', '#password'].map((name) => login.querySelector(name).value);
  authorization = `Basic ${base64(`${user}:${password}`)}`;
  try {
    start(await ticket());
  } catch (error) {
    why.textContent = error.message;
  }
});

/** The ticket for the next try. */
let next = null;

/** Opens the session. Each further try needs a ticket of its own. */
function start(first) {
  [why.textContent, login.hidden, send.hidden] = ['', true, false];
  next = first;
  if (socket) return socket.reconnect();
  const token = async () => {
    const mine = next ?? await ticket();
    next = null;
    return mine;
  };
  socket = new WsdSocket('./private', [], { token });
  socket.onmessage = ({ data }) => log.add(data);
  follow(socket);
}

send.addEventListener('submit', (event) => {
  event.preventDefault();
  socket.send(send.querySelector('#line').value);
  send.reset();
});
