// The Connect Four page: draws the board as the game's program tells it, and sends the columns that are chosen.

import { follow, leaveWithPage } from './header.js';
import { parse } from './parse.js';
import { WsdSocket } from './wsd.js';

const COLUMNS = 7;
const ROWS = 6;
const PLAYERS = ['', 'Player one', 'Player two'];
const STORED = 'wsd.connect4.token';
const SEAT = 'is kept for 30 seconds.';
const WAITING = 'Waiting for an opponent. Open this page in a second window to play against yourself.';

const IDS = ['seat', 'news', 'hint', 'again', 'play', 'watch', 'link', 'copy', 'board'];
const place = Object.fromEntries(IDS.map((id) => [id, document.getElementById(id)]));
const columns = Array.from({ length: COLUMNS }, (_, number) => makeColumn(number));

const watched = new URLSearchParams(location.search).get('watch');
const token = takeToken();
let seat = null; // { player, game }; player 0 watches
let board = null;

/** The token that keeps this page's seat. A reload finds it again; a copy of the tab takes a seat of its own. */
function takeToken() {
  const kept = stored((storage) => {
    const token = storage.getItem(STORED);
    storage.removeItem(STORED);
    return token;
  });
  return kept ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16)).join('');
}

/** What `act` gives of the tab's storage. A browser may forbid it; then the token lasts as long as the page. */
function stored(act) {
  try {
    return act(sessionStorage);
  } catch {
    return null;
  }
}

function makeColumn(number) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'column';
  button.tabIndex = number === 0 ? 0 : -1;
  for (let row = ROWS - 1; row >= 0; row -= 1) {
    button.append(Object.assign(document.createElement('span'), { className: 'cell' }));
  }
  button.addEventListener('click', () => drop(number));
  button.addEventListener('focus', () => columns.forEach((one) => { one.tabIndex = one === button ? 0 : -1; }));
  return place.board.appendChild(button);
}

/** What each kind of message does. */
const ACTS = {
  waiting() {
    seat = null;
    board = null;
  },
  seat({ player, game }) {
    seat = { player, game };
    board = null;
  },
  board(message) { board = message; },
  error({ text }) { place.hint.textContent = text; },
};

function receive({ data }) {
  const message = parse(data);
  if (!Object.hasOwn(ACTS, message?.type)) return;
  place.hint.textContent = '';
  ACTS[message.type](message);
  render();
}

function isMyTurn() {
  return board?.phase === 'playing' && board.player === seat.player && socket.readyState === WsdSocket.OPEN;
}

function drop(number) {
  if (isMyTurn()) socket.send(`${number + 1}`);
}

function render() {
  const isMine = isMyTurn();
  const isOver = board !== null && board.phase !== 'playing';
  const isPlayer = seat?.player > 0;
  place.board.dataset.seat = isMine ? seat.player : 0;
  place.board.dataset.phase = board?.phase ?? '';
  columns.forEach((button, number) => renderColumn(button, number, isMine));

  place.seat.dataset.player = seat?.player ?? 0;
  place.seat.textContent = seat ? `You are ${isPlayer ? PLAYERS[seat.player].toLowerCase() : 'watching'}` : '';
  place.news.textContent = news();

  place.again.hidden = !(isPlayer && isOver && !board.again.includes(seat.player));
  place.again.textContent = board?.phase === 'left' ? 'Find another opponent' : 'Play again';
  place.play.hidden = watched === null;
  place.watch.hidden = !isPlayer || board?.phase === 'left';
  if (seat) place.link.href = `connect4.html?watch=${encodeURIComponent(seat.game)}`;
}

function renderColumn(button, number, isMine) {
  const discs = board?.columns[number] ?? '';
  const isLast = (row) => board?.last?.[0] === number && board.last[1] === row;
  const isWinning = (row) => board?.line.some((cell) => cell[0] === number && cell[1] === row) ?? false;
  [...button.children].forEach((cell, fromAbove) => {
    const row = ROWS - 1 - fromAbove;
    cell.dataset.disc = discs[row] ?? '';
    cell.classList.toggle('next', row === discs.length);
    cell.classList.toggle('last', isLast(row));
    cell.classList.toggle('winning', isWinning(row));
    cell.style.setProperty('--height', fromAbove + 1);
  });
  button.ariaDisabled = `${!isMine || discs.length === ROWS}`;
  button.ariaLabel = `Column ${number + 1}, ${describe(discs)}`;
}

/** A column in words. */
function describe(discs) {
  if (discs === '') return 'empty';
  const owners = [...discs].map((disc) => (disc === '1' ? 'one' : 'two')).join(', ');
  return `${discs.length === ROWS ? 'full, ' : ''}from below: ${owners}`;
}

/** What has happened and who is next, in words. */
function news() {
  const isPlaying = board?.phase === 'playing';
  if (socket.readyState === WsdSocket.CONNECTING && isPlaying && seat.player > 0) {
    return socket.state.keptUntil ? 'The game waits for you.' : `Your seat ${SEAT}`;
  }
  if (socket.readyState !== WsdSocket.OPEN) return '';
  if (board === null) return watched === null ? WAITING : '';
  const { phase, player, last, away } = board;
  const isMe = player === seat.player;
  switch (phase) {
    case 'playing': {
      const turn = isMe ? 'Your turn.' : `${PLAYERS[player]} is next.`;
      if (away.length > 0) return `${PLAYERS[away[0]]} is away: the seat ${SEAT} ${turn}`;
      const mover = 3 - player === seat.player ? 'You' : PLAYERS[3 - player];
      return last ? `${mover} took column ${last[0] + 1}. ${turn}` : turn;
    }
    case 'won':
      return `${isMe ? 'You win!' : `${PLAYERS[player]} wins.`} ${wish()}`;
    case 'draw':
      return `A draw: the board is full. ${wish()}`;
    default:
      return `${PLAYERS[player]} has left. The game is over.`;
  }
}

/** Whether one of the two would like another game. */
function wish() {
  const [player] = board.again;
  if (!player) return '';
  return player === seat.player ? 'Waiting for the other player.' : `${PLAYERS[player]} would like to play again.`;
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const number = Number(event.key) - 1;
  if (number >= 0 && number < COLUMNS) drop(number);
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const at = columns.indexOf(document.activeElement);
  if (step && at >= 0) columns[(at + step + COLUMNS) % COLUMNS].focus();
}

async function copy() {
  try {
    await navigator.clipboard.writeText(place.link.href);
    place.copy.textContent = 'Copied';
  } catch {
    place.hint.textContent = 'The browser forbids it: copy the link by hand.';
  }
}

const query = new URLSearchParams(watched === null ? { token } : { watch: watched });
/** After 4000 another page has the seat, and after 1000 nobody is to come back. */
const retry = ({ code }) => code !== 4000 && code !== 1000;
const socket = new WsdSocket(`./connect4?${query}`, [], { retry, resume: true });
socket.onmessage = receive;
socket.onstate = render;
follow(socket);
leaveWithPage(socket);
render();
place.again.addEventListener('click', () => socket.send('again'));
place.copy.addEventListener('click', copy);
document.addEventListener('keydown', press);
addEventListener('pagehide', () => stored((storage) => storage.setItem(STORED, token)));
addEventListener('pageshow', ({ persisted }) => persisted && takeToken());
