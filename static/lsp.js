// The language server page: sends the text to a language server as it changes, and shows what it says of it.

import { follow } from './header.js';
import { cell } from './list.js';
import { parse } from './parse.js';
import { WsdSocket } from './wsd.js';

/** The pause in typing after which the text is sent. */
const PAUSE_MS = 200;

/** Problems that are shown. */
const PROBLEMS_MAX = 200;

/** The exit status of the program where there is no language server, as a close code. */
const MISSING = 4127;

const URI = 'untitled:demo.py';
const text = document.querySelector('#text');
const marks = document.querySelector('#marks');
const list = document.querySelector('#problems');
const count = document.querySelector('#count');

/** The version of the text that the server has; 0 until it has one. */
let version = 0;
/** The version whose problems are shown. */
let checked = 0;
let pause;

const socket = new WsdSocket('./lsp', [], { resume: true });
socket.onopen = () => {
  version = 0;
  send({ id: 'initialize', method: 'initialize', params: { processId: null, rootUri: null, capabilities: {} } });
};
socket.onmessage = ({ data }) => {
  const message = parse(data);
  if (message?.id === 'initialize' && message.result) open();
  else if (message?.method === 'textDocument/publishDiagnostics') receive(message.params);
};
socket.onstate = ({ detail }) => {
  if (detail.name !== 'open' && checked !== version) forget();
  if (detail.name !== 'connecting') document.querySelector('#missing').hidden = detail.code !== MISSING;
};
// The text may have changed while the page was away.
socket.onresume = ({ detail }) => { if (detail.resumed && version > 0) change(); };
follow(socket);

function send(message) {
  socket.send(JSON.stringify({ jsonrpc: '2.0', ...message }));
}

function open() {
  version = 1;
  send({ method: 'initialized', params: {} });
  const textDocument = { uri: URI, languageId: 'python', version, text: text.value };
  send({ method: 'textDocument/didOpen', params: { textDocument } });
}

/** Shows no problems, because nobody has checked the text. */
function forget() {
  marks.textContent = '';
  count.textContent = 'Not checked yet';
  list.replaceChildren();
}

/** Sends the whole text, as one change. */
function change() {
  if (version === 0 || socket.readyState !== WsdSocket.OPEN) {
    forget();
    return;
  }
  version += 1;
  const params = { textDocument: { uri: URI, version }, contentChanges: [{ text: text.value }] };
  send({ method: 'textDocument/didChange', params });
}

text.addEventListener('input', () => {
  marks.textContent = '';
  clearTimeout(pause);
  pause = setTimeout(change, PAUSE_MS);
});
text.addEventListener('scroll', () => {
  marks.style.transform = `translate(${-text.scrollLeft}px, ${-text.scrollTop}px)`;
});

/** Shows the problems, unless they are those of an older text. */
function receive({ version: theirs, diagnostics }) {
  if (theirs !== undefined && theirs !== version) return;
  checked = version;
  const problems = diagnostics.map(locate).sort((one, other) => one.start - other.start);
  count.textContent = problems.length === 1 ? '1 problem' : `${problems.length || 'No'} problems`;
  list.replaceChildren(...problems.slice(0, PROBLEMS_MAX).map(row));
  mark(problems);
}

/** A problem with its place in the text, which may be shorter than the server says. */
function locate({ range, severity, message, source }) {
  const lines = text.value.split('\n');
  const offset = ({ line, character }) => {
    const before = lines.slice(0, line).reduce((sum, { length }) => sum + length + 1, 0);
    return Math.min(before + Math.min(character, (lines[line] ?? '').length), text.value.length);
  };
  const [start, end] = [offset(range.start), offset(range.end)];
  const place = `${range.start.line + 1}:${range.start.character + 1}`;
  return { start, end: Math.max(end, start + 1), place, kind: severity === 1 ? 'bad' : 'wait', message, source };
}

function row({ start, end, place, kind, message, source }) {
  const item = document.createElement('li');
  const button = Object.assign(document.createElement('button'), { type: 'button', textContent: place });
  button.ariaLabel = `Go to line ${place.replace(':', ', column ')}`;
  button.addEventListener('click', () => {
    text.focus();
    text.setSelectionRange(start, end);
  });
  item.className = kind;
  item.append(button, cell('text', message), cell('tag', source ?? ''));
  return item;
}

/** Underlines the problems in the text; of two that overlap, the first. */
function mark(problems) {
  const parts = new DocumentFragment();
  let end = 0;
  for (const problem of problems.filter(({ start }) => start < text.value.length)) {
    if (problem.start < end) continue;
    const part = document.createElement('mark');
    part.className = problem.kind;
    part.textContent = text.value.slice(problem.start, problem.end);
    parts.append(text.value.slice(end, problem.start), part);
    end = problem.end;
  }
  marks.replaceChildren(parts);
}
