// The header that the pages share: the state of the connection, what it means, and a button for another session.

import { closeInWords } from './close-codes.js';

const place = document.querySelector('#state');
let countdown;

/** Shows the state of a `WsdSocket`, now and whenever it changes. The button starts a session at once. */
export function follow(socket) {
  socket.addEventListener('state', () => show(socket.state));
  document.querySelector('#reconnect').addEventListener('click', () => socket.reconnect());
  place.addEventListener('click', () => place.toggleAttribute('data-whole')); // on a phone one line is shown
  show(socket.state);
}

const SHOW = {
  connecting: () => render('connecting', 'Connecting', '', 'waiting for the server'),
  open: () => render('open', 'Open', '', 'the program is running'),
  closed(end) {
    const state = end.code === 1000 || end.code === 1001 ? 'closed' : 'failed';
    render(state, 'Closed', end.reason ? `${end.code} · ${end.reason}` : `${end.code}`, inWords(end));
  },
  waiting(end) {
    render('waiting', 'Waiting', `${end.code}`, inWords(end));
    count(end.retryAt);
  },
  offline(end) {
    render('offline', 'Offline', '', 'this device has no network');
    count(end.retryAt);
  },
};

function show(state) {
  clearInterval(countdown);
  SHOW[state.name](state);
}

/** Why a session ended; where there was none, all a browser tells a page is 1006. */
function inWords({ code, reason, opened }) {
  return opened ? closeInWords(code, reason) : 'the server refused, or cannot be reached';
}

/** Counts down to the next try; seen, but not read out, as once a second would be too much. */
function count(retryAt) {
  const next = part('em', '');
  const seconds = part('b', '');
  next.ariaHidden = 'true';
  next.append('· ', part('i', 'next try '), 'in ', seconds, ' s');
  place.lastElementChild.before(next, ' ');
  const tick = () => { seconds.textContent = Math.max(1, Math.ceil((retryAt - Date.now()) / 1000)); };
  countdown = setInterval(tick, 1000);
  tick();
}

function render(state, name, code, words) {
  place.dataset.state = state;
  place.replaceChildren(part('strong', name), ' ', part('code', code), ' ', part('span', words));
}

function part(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}
