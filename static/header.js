// The header that the pages share: the state of the connection, what it means, and a button for another session.

import { closeInWords } from './close-codes.js';

const place = document.querySelector('#state');
let countdown;

place.addEventListener('click', () => place.toggleAttribute('data-whole')); // on a phone one line is shown

/** Shows the state of a `WsdSocket`, now and whenever it changes. The button starts a session at once. */
export function follow(socket) {
  socket.addEventListener('state', () => show(socket.state));
  socket.addEventListener('resume', ({ detail }) => {
    // A room whose messages are gone tells a newcomer what there is.
    if (detail.gap > 0) socket.reconnect();
    else showReturn(detail);
  });
  document.querySelector('#reconnect').addEventListener('click', () => socket.reconnect());
  show(socket.state);
}

/**
 * Leaves as soon as the page is left, also where the browser keeps it for the way back: others see who is there. A page that
 * comes back begins anew.
 */
export function leaveWithPage(socket) {
  // Before the socket itself hears of it, which would keep the session of a page that is set aside.
  addEventListener('pagehide', () => socket.close(1000), { capture: true });
  addEventListener('pageshow', ({ persisted }) => persisted && socket.reconnect());
}

const SHOW = {
  connecting({ keptUntil }) {
    if (keptUntil && place.dataset.state === 'away') render('away', 'Away', '', 'session kept');
    else render('connecting', 'Connecting', '', 'waiting for the server');
  },
  open: () => render('open', 'Open', '', 'the program is running'),
  closed(end) {
    const state = end.code === 1000 || end.code === 1001 ? 'closed' : 'failed';
    render(state, 'Closed', end.reason ? `${end.code} · ${end.reason}` : `${end.code}`, inWords(end));
  },
  waiting(end) {
    if (end.keptUntil) render('away', 'Away', '', 'session kept');
    else render('waiting', 'Waiting', `${end.code}`, inWords(end));
    count(end);
  },
  offline(end) {
    render('offline', 'Offline', '', end.keptUntil ? 'session kept' : 'this device has no network');
    count(end);
  },
};

/** Tells, until something else happens, what became of a session that was away. */
function showReturn({ resumed }) {
  render('open', 'Open', '', resumed ? 'nothing lost' : 'new: the last session is gone');
  if (resumed) place.lastElementChild.prepend(part('i', 'back, '));
  place.toggleAttribute('data-news', true);
}

function show(state) {
  clearInterval(countdown);
  SHOW[state.name](state);
}

/** Why a session ended; where there was none, all a browser tells a page is 1006. */
function inWords({ code, reason, opened }) {
  return opened ? closeInWords(code, reason) : 'the server refused, or cannot be reached';
}

/** Counts down to the next try; seen, but not read out, as once a second would be too much. */
function count({ keptUntil, ...end }) {
  const next = part('em', '');
  const seconds = part('b', '');
  next.ariaHidden = 'true';
  next.append('· ', part('i', 'next try '), 'in ', seconds, ' s');
  place.lastElementChild.before(next, ' ');
  const tick = () => {
    if (keptUntil < Date.now()) show(end);
    else seconds.textContent = Math.max(1, Math.ceil((end.retryAt - Date.now()) / 1000));
  };
  countdown = setInterval(tick, 1000);
  tick();
}

function render(state, name, code, words) {
  place.dataset.state = state;
  place.removeAttribute('data-news');
  place.replaceChildren(part('strong', name), ' ', part('code', code), ' ', part('span', words));
}

function part(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}
