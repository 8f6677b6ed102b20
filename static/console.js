// The console: connects to a WebSocket server, sends what is typed or dropped, and shows what comes.

import { tokenOffers } from './client.js';
import { closeInWords } from './console-close.js';
import { LineHistory } from './console-history.js';
import { Log } from './console-log.js';
import { Message } from './console-message.js';
import { hasMcpServer, isProgram, pathOf, programPaths } from './console-paths.js';
import { Session, socketUrl } from './console-session.js';
import { grouped, visible } from './console-text.js';

/** The largest file that is sent: it is held in memory, as one message. */
const FILE_BYTES_MAX = 64 << 20;

/** The most lines that the field grows to. */
const FIELD_LINES_MAX = 8;

/** How long a note stays. */
const NOTE_MS = 5_000;

const find = (id) => document.getElementById(id);
const [url, program, protocols, token] = ['url', 'program', 'protocols', 'token'].map(find);
const [line, multiline, filter] = ['line', 'multiline', 'filter'].map(find);
const log = new Log(note);
const lineHistory = new LineHistory();

let session = null;
let noteTimer = 0;

// Nothing connects before it is asked to: a link to this page must not start a program.
url.value = socketUrl('');
showState('idle', 'Not connected', '', 'Connect starts a session');
lineHistory.open(url.value);
const offered = programPaths().then(offer);
hasMcpServer().then((has) => { if (has) linkServers(); });

/** Links the page of the servers of MCP. */
function linkServers() {
  const link = document.createElement('a');
  Object.assign(link, { id: 'mcp', href: new URL('mcp', import.meta.url), title: 'Servers of MCP', textContent: 'MCP' });
  find('keys').before(link);
}

/** Offers the programs of this server. Where this path has none, the URL becomes that of the first one. */
function offer(patterns) {
  const paths = [...new Set(patterns.map(pathOf))];
  program.append(...paths.map((path) => new Option(decodeURIComponent(path), path)));
  program.parentElement.hidden = paths.length < 2;
  const isUntouched = session === null && url.value === socketUrl('');
  if (isUntouched && paths.length > 0 && !isProgram(patterns, location.pathname)) {
    aim(paths[0] + location.search);
  }
  showProgram();
}

function aim(path) {
  url.value = socketUrl(path);
  lineHistory.open(url.value);
}

/** Selects the program that the URL names, if it is one of this server. */
function showProgram() {
  const [, host, path] = /^\w+:\/\/([^/?]*)([^?]*)/.exec(url.value) ?? [];
  program.value = host === location.host ? path : '';
}

/** Starts a session; one that still runs is left. */
function connect() {
  disconnect();
  session = null;
  try {
    url.value = socketUrl(url.value);
    const names = protocols.value.split(',').map((name) => name.trim()).filter(Boolean);
    const mine = new Session(url.value, token.value ? [...names, ...tokenOffers(token.value)] : names, {
      onOpen: () => { if (mine === session) begin(); },
      onMessage: (data) => { if (mine === session) log.add(new Message('received', data)); },
      onEnd: (end) => finish(mine, end, names),
    });
    session = mine;
    lineHistory.open(mine.url);
    showProgram();
    document.title = `${new URL(mine.url).host} · wsd console`;
    showState('connecting', 'Connecting', '', mine.url);
  } catch (error) {
    showState('failed', 'Cannot connect', '', error.message.replace(/^Failed to construct '\w+': /, ''));
  }
}

function begin() {
  const words = session.protocol ? `${session.url}, subprotocol ${session.protocol}` : session.url;
  showState('open', 'Open', '', words);
  log.add(new Message('event', `Open: ${words}`, { tone: 'open' }));
  note('');
  // On a touch screen the focus would bring the keyboard up, over the log.
  const { activeElement } = document;
  const isFree = activeElement === document.body || find('connection').contains(activeElement);
  if (isFree && !matchMedia('(pointer: coarse)').matches) line.focus();
}

/** Shows an end in the log, and as the state unless another session has begun. */
function finish(ended, { code, reason, wasClean, seconds, wasOpen, isAsked }, names) {
  // Browsers give up a connection for which the server chose no subprotocol, though some were offered.
  const offered = names.length > 0 ? ', takes none of the subprotocols' : '';
  const refused = isAsked ? 'you disconnected first' : `the server refused${offered}, or cannot be reached; the log of wsd tells why`;
  const words = wasOpen ? closeInWords(code, reason, isAsked) : refused;
  const isFine = code === 1000 || code === 1001 || isAsked;
  const tone = isFine ? 'closed' : 'failed';
  const codeAndReason = reason ? `${code} · ${reason}` : `${code}`;
  const rest = `${words} (${wasClean ? 'clean' : 'not clean'}${wasOpen ? `, after ${seconds.toFixed(1)} s` : ''})`;
  log.add(new Message('event', `Closed: ${codeAndReason} — ${rest}`, { tone }));
  if (ended === session) showState(tone, 'Closed', codeAndReason, rest);
}

function disconnect() {
  if (!session || session.isOver || session.isLeaving) return;
  session.leave();
  if (!session.isOver) showState('closing', 'Closing', '', 'waiting for the server');
}

function showState(name, title, code = '', words = '') {
  const state = find('state');
  const part = (tag, text) => {
    const element = document.createElement(tag);
    element.append(visible(text));
    return element;
  };
  state.dataset.state = name;
  state.replaceChildren(part('strong', title), ' ', part('code', code), ' ', part('span', words));
  find('connect').textContent = name === 'idle' ? 'Connect' : 'Reconnect';
  find('disconnect').ariaDisabled = String(name !== 'connecting' && name !== 'open');
  for (const id of ['submit', 'attach']) find(id).ariaDisabled = String(name !== 'open');
}

/** Says a few words below the field, for a while. */
function note(words) {
  clearTimeout(noteTimer);
  find('note').textContent = words;
  if (words) noteTimer = setTimeout(note, NOTE_MS, '');
}

function sendLine() {
  if (!session?.isOpen) {
    note('Not connected: nothing was sent.');
    return;
  }
  session.send(line.value);
  log.add(new Message('sent', line.value));
  log.follow();
  lineHistory.add(line.value);
  write('');
}

/** Sends each file as one binary message, in order, while the session lasts. */
async function sendFiles(files) {
  const to = session;
  for (const file of files) {
    if (!to?.isOpen) {
      note(`Not connected: ${file.name} was not sent.`);
      return;
    }
    if (file.size > FILE_BYTES_MAX) {
      note(`${file.name} is too large: ${grouped(FILE_BYTES_MAX)} bytes are the most.`);
      continue;
    }
    try {
      const bytes = new Uint8Array(await file.arrayBuffer());
      if (!to.isOpen) continue;
      to.send(bytes);
      log.add(new Message('sent', bytes, { name: file.name }));
      log.follow();
    } catch {
      note(`${file.name} cannot be read.`);
    }
  }
}

/** Puts text into the field, which grows with its lines. */
function write(text) {
  line.value = text;
  grow();
}

function grow() {
  const lines = line.value.split('\n').length;
  line.rows = Math.min(Math.max(lines, multiline.checked ? 3 : 1), FIELD_LINES_MAX);
}

function pressed(event) {
  if (event.isComposing) return; // Enter takes a word that an input method offers
  const { key, shiftKey, ctrlKey, metaKey, altKey } = event;
  const hasModifier = shiftKey || ctrlKey || metaKey || altKey;
  if (key === 'Enter' && (ctrlKey || metaKey || !(shiftKey || multiline.checked))) {
    event.preventDefault();
    sendLine();
  } else if (key === 'Escape') {
    log.focus();
  } else if (!hasModifier && (key === 'ArrowUp' || key === 'ArrowDown')) {
    recall(event, key === 'ArrowUp');
  }
}

/** In the first or last line of the field an arrow leads to another line of the history. */
function recall(event, isUp) {
  const { value, selectionStart, selectionEnd } = line;
  if (selectionStart !== selectionEnd) return;
  const isWithin = isUp ? value.slice(0, selectionStart).includes('\n') : value.slice(selectionEnd).includes('\n');
  if (isWithin) return;
  const found = isUp ? lineHistory.older(value) : lineHistory.newer();
  if (found === null) return;
  event.preventDefault();
  write(found);
}

function showFiltered() {
  log.filter(document.querySelector('[name=direction]:checked').value, filter.value);
}

function on(id, type, act) {
  find(id).addEventListener(type, act);
}

on('connection', 'submit', (event) => {
  event.preventDefault();
  offered.then(connect); // to a path that has a program, also where somebody is faster than the list
});
on('program', 'change', () => aim(program.value));
on('url', 'input', showProgram);
on('disconnect', 'click', disconnect);

on('send', 'submit', (event) => { event.preventDefault(); sendLine(); });
on('line', 'keydown', pressed);
on('line', 'input', grow);
on('multiline', 'change', grow);
on('attach', 'click', () => {
  if (session?.isOpen) find('files').click();
  else note('Not connected: no file can be sent.');
});
on('files', 'change', ({ target }) => {
  sendFiles([...target.files]);
  target.value = ''; // so that the same file can be picked again
});

on('filter', 'input', showFiltered);
on('direction', 'change', showFiltered);
on('pause', 'click', () => log.togglePause());
on('clear', 'click', () => log.clear());
on('expand', 'click', ({ target }) => {
  const isOn = target.ariaPressed !== 'true';
  target.ariaPressed = String(isOn);
  log.expand(isOn);
});

on('log', 'keydown', ({ key }) => { if (key === 'Escape') line.focus(); });
on('keys', 'click', () => find('help').showModal());
on('help-close', 'click', () => find('help').close());
on('forget', 'click', () => {
  lineHistory.forget();
  find('help').close();
  note('Forgotten.');
});

// Files may be dropped anywhere; without this the browser would leave the page to show them.
const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
addEventListener('dragover', (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = session?.isOpen ? 'copy' : 'none';
  document.body.classList.toggle('dropping', Boolean(session?.isOpen));
});
addEventListener('dragleave', ({ relatedTarget }) => {
  if (!relatedTarget) document.body.classList.remove('dropping');
});
addEventListener('drop', (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  document.body.classList.remove('dropping');
  sendFiles([...event.dataTransfer.files]);
});
