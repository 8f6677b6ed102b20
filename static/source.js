// The source page: lists the docs, the programs and the pages, or shows one of them, as their program prints it.

import { follow } from './header.js';
import { WsdSocket } from './wsd.js';

const FOLDERS = new Map([['docs', 'Docs'], ['examples', 'Programs'], ['static', 'Pages']]);

/** A link of Markdown to another of these files. */
const LINK = /(\]\((?:[\w-]+|\.\.)(?:\/[\w.-]+)*\.[a-z0-9]+)(?=[#)])/;

const name = decodeURIComponent(location.search.slice(1));
let lines = [];

/** The names that a text may link to: the program shows no other file. */
const listed = name === '' ? Promise.resolve([]) : new Promise((resolve) => {
  const names = [];
  const socket = new WsdSocket('./source', [], { retry: () => false, resume: true });
  socket.onmessage = ({ data }) => names.push(data);
  socket.onclose = () => resolve(names);
});

async function show({ code }) {
  if (code !== 1000) document.querySelector('#lead').textContent = name === '' ? '' : `There is no ${name} here.`;
  else if (name === '') list();
  else print(await listed);
}

function list() {
  const groups = [...FOLDERS].map(([folder, title]) => {
    const files = lines.filter((file) => folder === folderOf(file));
    const heading = Object.assign(document.createElement('h2'), { textContent: title });
    const items = document.createElement('ul');
    items.append(...files.map((file) => {
      const item = document.createElement('li');
      item.append(linkTo(file, file.endsWith('/README.md') ? file : file.split('/').at(-1)));
      return item;
    }));
    const group = document.createElement('section');
    group.append(heading, items);
    return group;
  });
  document.querySelector('#files').replaceChildren(...groups);
}

/** The group of a file: that of its folder, or the docs. */
function folderOf(file) {
  const [folder] = file.split('/');
  return FOLDERS.has(folder) ? folder : 'docs';
}

function print(names) {
  document.title = `${name} · wsd`;
  document.querySelector('#title').textContent = name;
  const all = linkTo('', 'All files');
  document.querySelector('#lead').replaceChildren(all);
  const isProse = name.endsWith('.md');
  const text = document.querySelector('#text');
  const parts = lines.join('\n').split(isProse ? LINK : /$^/);
  text.classList.toggle('prose', isProse);
  text.replaceChildren(...parts.map((part, index) => (index % 2 === 0 ? part : linked(part, names))));
  document.querySelector('#panel').hidden = false;
}

/** `](docs/guide.md` with its file as a link, which is relative to that of the page, if it is one of `names`. */
function linked(part, names) {
  const target = part.slice(2);
  const file = new URL(target, `file:///${name}`).pathname.slice(1);
  const fragment = new DocumentFragment();
  fragment.append('](', names.includes(file) ? linkTo(file, target) : target);
  return fragment;
}

function linkTo(file, text) {
  const href = file ? `source.html?${file}` : 'source.html';
  return Object.assign(document.createElement('a'), { href, textContent: text });
}

const socket = new WsdSocket(`./source?${encodeURI(name)}`, [], { retry: () => false, resume: true });
socket.onopen = () => { lines = []; };
socket.onmessage = ({ data }) => lines.push(data);
socket.onclose = show;
follow(socket);
