// The header that the pages share: the state of the connection, and what it means.

import { closeInWords } from './close-codes.js';

const place = document.querySelector('#state');

/** Shows the state of a `WsdSocket`, now and whenever it changes; the header's button starts a session. */
export function follow(socket) {
  const render = () => showState(socket.state);
  socket.addEventListener('state', render);
  document.querySelector('#reconnect').addEventListener('click', () => socket.reconnect());
  render();
}

let countdown;

function showState({ name, code, reason, opened, retryAt }) {
  clearInterval(countdown);
  if (name === 'connecting') return showConnecting();
  if (name === 'open') return showOpen();
  if (name === 'closed') return showClosed({ code, reason }, opened);

  const why = name === 'offline' ? 'no network' : inWords(code, reason, opened);
  show(name, name === 'offline' ? 'Offline' : 'Waiting', `${code}`, why);
  // Seen, not read out: once a second would be too much.
  const next = place.lastElementChild.appendChild(part('em', ''));
  next.ariaHidden = 'true';
  const count = () => { next.textContent = `, next try in ${Math.max(1, Math.ceil((retryAt - Date.now()) / 1000))} s`; };
  countdown = setInterval(count, 1000);
  count();
}

function inWords(code, reason, opened) {
  return opened ? closeInWords(code, reason) : 'the server refused, or cannot be reached';
}

/** Shows that a connection is being made. */
export function showConnecting() {
  show('connecting', 'Connecting', '', 'waiting for the server');
}

/** Shows that the session runs. */
export function showOpen() {
  show('open', 'Open', '', 'the program is running');
}

/**
 * Shows the end: the close code, the reason, and both in words.
 *
 * `opened` tells whether there was a session at all. Where there was none, all a browser tells a page is 1006.
 */
export function showClosed({ code, reason }, opened) {
  const state = code === 1000 || code === 1001 ? 'closed' : 'failed';
  const words = opened ? closeInWords(code, reason) : 'the server refused, or cannot be reached';
  show(state, 'Closed', reason ? `${code} · ${reason}` : `${code}`, words);
}

function show(state, name, code, words) {
  place.dataset.state = state;
  place.replaceChildren(part('strong', name), ' ', part('code', code), ' ', part('span', words));
}

function part(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}
