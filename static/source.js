// The source page: lists the docs, the programs and the pages, or shows one of them, as their program prints it.

import { follow } from './header.js';
import { WsdSocket } from './wsd.js';

const FOLDERS = new Map([['docs', 'Docs'], ['examples', 'Programs'], ['static', 'Pages']]);

/** A link of Markdown to another of these files. */
const LINK = /(\]\((?:[\w-]+|\.\.)(?:\/[\w.-]+)*\.[a-z0-9]+)(?=[#)])/;

const name = decodeURIComponent(location.search.slice(1));
let lines = [];

function show({ code }) {
  if (code !== 1000) document.querySelector('#lead').textContent = name === '' ? '' : `There is no ${name} here.`;
  else if (name === '') list();
  else print();
}

function list() {
  const groups = [...FOLDERS].map(([folder, title]) => {
    const files = lines.filter((file) => (file.includes('/') ? file.startsWith(`${folder}/`) : folder === 'docs'));
    const heading = Object.assign(document.createElement('h2'), { textContent: title });
    const items = document.createElement('ul');
    items.append(...files.map((file) => {
      const item = document.createElement('li');
      item.append(linkTo(file, file.split('/').at(-1)));
      return item;
    }));
    const group = document.createElement('section');
    group.append(heading, items);
    return group;
  });
  document.querySelector('#files').replaceChildren(...groups);
}

function print() {
  document.title = `${name} · wsd`;
  document.querySelector('#title').textContent = name;
  const all = linkTo('', 'All files');
  document.querySelector('#lead').replaceChildren(all);
  const isProse = name.endsWith('.md');
  const text = document.querySelector('#text');
  const parts = lines.join('\n').split(isProse ? LINK : /$^/);
  text.classList.toggle('prose', isProse);
  text.replaceChildren(...parts.map((part, index) => (index % 2 === 0 ? part : linked(part))));
  document.querySelector('#panel').hidden = false;
}

/** `](docs/guide.md` with its file as a link, which is relative to that of the page. */
function linked(part) {
  const target = part.slice(2);
  const fragment = new DocumentFragment();
  fragment.append('](', linkTo(new URL(target, `file:///${name}`).pathname.slice(1), target));
  return fragment;
}

function linkTo(file, text) {
  const href = file ? `source.html?${file}` : 'source.html';
  return Object.assign(document.createElement('a'), { href, textContent: text });
}

const socket = new WsdSocket(`./source?${encodeURI(name)}`, [], { retry: () => false });
socket.onopen = () => { lines = []; };
socket.onmessage = ({ data }) => lines.push(data);
socket.onclose = show;
follow(socket);
