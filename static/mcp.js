// The page of the servers of MCP: lists them, each with the lines to paste into clients.

import { linesFor, nameOf } from './mcp-lines.js';

/** How long a button tells that it has copied. */
const COPIED_MS = 2_000;

const find = (id) => document.getElementById(id);

function element(tag, text, kind = '') {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = kind;
  return made;
}

/** A button that copies a text. */
function copier(client, text) {
  const button = element('button', 'Copy');
  button.type = 'button';
  button.setAttribute('aria-label', `Copy: ${client}`);
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = 'Copied';
    } catch {
      button.textContent = 'Not copied';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, COPIED_MS);
  });
  return button;
}

function shown({ path, has_auth: hasAuth }) {
  const url = new URL(path, location.href);
  const section = element('section', '', 'panel');
  section.append(element('h2', nameOf(url)), element('code', url.href, 'url'));
  for (const { client, text } of linesFor(url, hasAuth)) {
    const head = element('div', '', 'client');
    head.append(element('h3', client), copier(client, text));
    section.append(head, element('pre', text));
  }
  return section;
}

async function show() {
  try {
    const response = await fetch('mcp.json');
    if (!response.ok) throw new Error(`wsd answered ${response.status}`);
    const servers = await response.json();
    find('servers').replaceChildren(...servers.map(shown));
    find('state').textContent = servers.length === 0 ? 'No route has --mcp.' : '';
  } catch (error) {
    find('state').textContent = `The list did not come: ${error.message}`;
  }
}

show();
