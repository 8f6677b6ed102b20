// The index page: a counter that counts, who is in the chat, and whether there are a Redis and a language server to show.

import { parse } from './parse.js';
import { WsdSocket } from './wsd.js';

const find = (id) => document.getElementById(id);

// The counter: another session follows each, as long as somebody looks.

/** The pause between two counts. */
const PAUSE_MS = 2_000;

const counter = new WsdSocket('./counter', [], { retry: ({ code }) => code !== 1000, resume: true });
counter.onmessage = ({ data }) => {
  find('count').textContent = data.slice(0, 20);
  find('count-state').textContent = '';
};
counter.onclose = () => setTimeout(countAgain, PAUSE_MS);
counter.onstate = ({ detail }) => {
  if (detail.name === 'waiting' || detail.name === 'offline') find('count-state').textContent = 'The server is away.';
};
document.addEventListener('visibilitychange', countAgain);

function countAgain() {
  if (!document.hidden && counter.readyState === WsdSocket.CLOSED) counter.reconnect();
}

// The chat: this page only watches, and is nobody there.

const NAMES_MAX = 12;
const SAID_MAX = 3;

let names = null;
let said = [];

const chat = new WsdSocket('./chat?watch', [], { resume: true });
chat.onopen = () => { names = null; };
chat.onmessage = ({ data }) => {
  const message = parse(data);
  if (message?.type === 'welcome') {
    names = new Set(message.here);
    said = message.history.length > 0 ? message.history : said;
  } else if (names === null) {
    return;
  }
  if (message?.type === 'leave' || message?.type === 'nick') names.delete(message.who);
  if (message?.type === 'join') names.add(message.who);
  if (message?.type === 'nick') names.add(message.now);
  if (message?.type === 'message' || message?.type === 'action') said.push(message);
  showChat();
};

function showChat() {
  const sorted = [...names].sort((a, b) => a.localeCompare(b));
  const more = sorted.length > NAMES_MAX ? ` and ${sorted.length - NAMES_MAX} more` : '';
  find('here').textContent = sorted.length === 0
    ? 'Nobody is in the chat now: be the first.'
    : `In the chat now: ${sorted.slice(0, NAMES_MAX).join(', ')}${more}`;
  said = said.slice(-SAID_MAX);
  find('said').replaceChildren(...said.map(({ who, text }) => {
    const item = document.createElement('li');
    const name = Object.assign(document.createElement('strong'), { textContent: who });
    item.append(name, ` ${text.slice(0, 200)}`);
    return item;
  }));
}

// Redis: without redis-cli the demo has no card; without a server its page says how to start one.

const redis = new WsdSocket('./keyvalue', [], { retry: () => false, resume: true });
redis.onmessage = ({ data }) => {
  const isMissing = data.startsWith('missing server');
  find('keyvalue').hidden = !isMissing && data !== 'ready';
  find('redis').hidden = !isMissing;
  redis.close(1000);
};

// The language server: its program tells by its exit whether pylsp is installed.

const probe = new WsdSocket('./lsp?probe', [], { retry: () => false, resume: true });
probe.onclose = ({ code }) => { find('lsp').hidden = code !== 1000; };
