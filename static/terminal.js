// The terminal page: xterm.js and the program's terminal, joined by the protocol `tty`, which is ttyd's.
//
// Each message begins with a character that tells its kind. The first one of a session is the size, in JSON.

import { closeInWords } from './close-codes.js';
import { follow } from './header.js';
import { WsdSocket } from './wsd.js';
import { FitAddon } from './xterm/addon-fit.mjs';
import { Terminal } from './xterm/xterm.mjs';

const TO_PROGRAM = { input: '0', size: '1', pause: '2', resume: '3' };

/** The character of output, as a byte. Others bring a title and preferences, which this page does not need. */
const OUTPUT = 0x30;

/** Bytes that xterm.js has not taken in yet: above the first number the page asks for a pause, below the second for more. */
const PENDING_MAX = 256 << 10;
const PENDING_MIN = 64 << 10;

const COLOURS = {
  light: {
    black: '#1c2226', red: '#b3261e', green: '#17705f', yellow: '#8a5a00',
    blue: '#1f5fbf', magenta: '#7b3fb5', cyan: '#0b6b7a', white: '#5a646b',
    brightBlack: '#6b757b', brightRed: '#c62828', brightGreen: '#1b7f4b', brightYellow: '#9a6700',
    brightBlue: '#2a6fd6', brightMagenta: '#9148c8', brightCyan: '#0e7c8c', brightWhite: '#1c2226',
  },
  dark: {
    black: '#3a4348', red: '#f2978f', green: '#6cc5ae', yellow: '#e0b25c',
    blue: '#7fb0f5', magenta: '#cfa2f0', cyan: '#6ec7d6', white: '#c9d0d3',
    brightBlack: '#8a959b', brightRed: '#ffb4ad', brightGreen: '#90e0cb', brightYellow: '#f5cf85',
    brightBlue: '#a8caff', brightMagenta: '#e2c2fa', brightCyan: '#98e1ed', brightWhite: '#ffffff',
  },
};

const screen = document.querySelector('#screen');
const over = document.querySelector('#over');
const fresh = document.querySelector('#fresh');
const control = document.querySelector('#control');
const isDark = matchMedia('(prefers-color-scheme: dark)');
const isForced = matchMedia('(forced-colors: active)');
const isNarrow = matchMedia('(max-width: 40rem)');

const terminal = new Terminal({
  fontFamily: getComputedStyle(document.documentElement).getPropertyValue('--mono'),
  scrollback: 2_000,
});
const fit = new FitAddon();
terminal.loadAddon(fit);
terminal.open(screen);

// Colours and size.

/** Takes the ground and the ink from the page, as they are now. */
function paint() {
  const { backgroundColor, color } = getComputedStyle(screen);
  terminal.options.theme = {
    ...COLOURS[isDark.matches ? 'dark' : 'light'],
    background: backgroundColor,
    foreground: color,
    cursor: color,
    cursorAccent: backgroundColor,
    selectionBackground: isDark.matches ? '#3a5a53' : '#bfe0d7',
  };
  terminal.options.minimumContrastRatio = isForced.matches ? 7 : 4.5;
}

function resize() {
  terminal.options.fontSize = isNarrow.matches ? 13 : 15;
  fit.fit();
}

isDark.addEventListener('change', paint);
isForced.addEventListener('change', paint);
paint();
resize();
new ResizeObserver(resize).observe(screen);

// The session.

/** Ends by which the server was away: another session follows by itself. An ended program is for the visitor to start again. */
const AWAY = [1001, 1006, 1012, 1013];

const socket = new WsdSocket(address(), ['tty'], { retry: ({ code }) => AWAY.includes(code), resume: true });
socket.binaryType = 'arraybuffer';
socket.onopen = begin;
socket.onresume = ({ detail }) => detail.resumed && goOn();
socket.onmessage = ({ data }) => receive(new Uint8Array(data));
socket.onstate = () => showEnd(socket.state);
follow(socket);

let pending = 0; // bytes that xterm.js has not drawn
let isPaused = false;
let typed = []; // while the page was away

function begin() {
  isPaused = false;
  typed = [];
  terminal.write('\x1bc'); // a reset, once all of the session before is drawn
  socket.send(JSON.stringify({ AuthToken: '', ...size(terminal) }));
}

/** The session goes on: tells what has changed while the page was away. */
function goOn() {
  send(isPaused ? TO_PROGRAM.pause : TO_PROGRAM.resume);
  send(TO_PROGRAM.size, JSON.stringify(size(terminal)));
  typed.forEach((data) => send(TO_PROGRAM.input, data));
  typed = [];
}

function receive(bytes) {
  if (bytes[0] !== OUTPUT) return;
  pending += bytes.length;
  if (pending > PENDING_MAX) pause(true);
  terminal.write(bytes.subarray(1), () => {
    pending -= bytes.length;
    if (pending < PENDING_MIN) pause(false);
  });
}

/** Has the server wait, or go on: a terminal that is given more than it can draw drops it. */
function pause(shall) {
  if (isPaused === shall) return;
  isPaused = shall;
  send(shall ? TO_PROGRAM.pause : TO_PROGRAM.resume);
}

/** Sends a text, or a string of bytes, if the program is there. */
function send(kind, data = '', encode = (message) => message) {
  if (socket.readyState === WsdSocket.OPEN) socket.send(encode(kind + data));
}

function toBytes(string) {
  return Uint8Array.from(string, (character) => character.charCodeAt(0));
}

function size({ cols, rows }) {
  return { columns: cols, rows };
}

/** The program may look at the size before the first message is there. */
function address() {
  return `./terminal?cols=${terminal.cols}&rows=${terminal.rows}`;
}

/** Shows below the screen, which stays, how the program ended. The focus goes along. */
function showEnd({ name, code, reason }) {
  const isOver = name === 'closed';
  if (isOver) {
    const words = closeInWords(code, reason) || reason || `closed with ${code}`;
    document.querySelector('#end').textContent = `${words[0].toUpperCase()}${words.slice(1)}.`;
  }
  if (over.hidden !== isOver) return;
  const hasFocus = [screen, over].some((place) => place.contains(document.activeElement));
  over.hidden = !isOver;
  terminal.options.disableStdin = isOver;
  if (hasFocus) (isOver ? fresh : terminal).focus();
}

fresh.addEventListener('click', () => socket.reconnect());

// The keyboard, and the keys on the screen.

const ARROWS = { ArrowUp: 'A', ArrowDown: 'B', ArrowRight: 'C', ArrowLeft: 'D' };
const KEYS = { Escape: '\x1b', Tab: '\t' };

let isControl = false;

/** Ctrl on the screen is for one key. */
function holdControl(shall) {
  isControl = shall;
  control.ariaPressed = `${shall}`;
}

function type(data) {
  const isKey = isControl && /^[ @-_a-z]$/.test(data);
  const input = isKey ? String.fromCharCode(data.toUpperCase().charCodeAt(0) & 0x1f) : data;
  if (socket.state.keptUntil) typed.push(input);
  else send(TO_PROGRAM.input, input);
  if (isControl) holdControl(false);
}

function press(key) {
  const arrow = ARROWS[key];
  if (!arrow) terminal.input(KEYS[key]);
  else if (isControl) terminal.input(`\x1b[1;5${arrow}`);
  else terminal.input(`\x1b${terminal.modes.applicationCursorKeysMode ? 'O' : '['}${arrow}`);
}

terminal.onData(type);
terminal.onBinary((data) => send(TO_PROGRAM.input, data, toBytes)); // the mouse, as old programs know it
terminal.onResize((now) => {
  socket.url = address(); // for the next session
  send(TO_PROGRAM.size, JSON.stringify(size(now)));
});
// The keyboard must be able to leave: with Shift and Tab, and with Tab where no program takes it.
terminal.attachCustomKeyEventHandler(({ key, shiftKey }) => {
  return key !== 'Tab' || (!shiftKey && socket.readyState === WsdSocket.OPEN);
});

control.addEventListener('click', () => holdControl(!isControl));
for (const button of document.querySelectorAll('.touch-keys button')) {
  // The focus stays where it is, and so does a keyboard on the screen.
  button.addEventListener('pointerdown', (event) => event.preventDefault());
  if (button !== control) button.addEventListener('click', () => press(button.dataset.key));
}
terminal.focus();
