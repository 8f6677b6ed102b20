// How a message leaves the page: as a copy, or as a file.

import { hexOf, timeOfDay } from './console-text.js';

/** Bytes that are copied, each as two hexadecimal digits and a space. */
const COPY_BYTES_MAX = 1 << 20;

/** A browser may take a while to read a file that it saves; after this time its memory is given back. */
const SAVE_MS = 60_000;

/** Copies a message as it came, bytes in hexadecimal; tells in a few words what became of it. */
export async function copy(message) {
  if (!message.isText && message.data.length > COPY_BYTES_MAX) return 'Too large to copy: save it.';
  const text = message.isText ? message.data : hexOf(message.data);
  try {
    await navigator.clipboard.writeText(text);
    return 'Copied.';
  } catch {
    return copySelected(text) ? 'Copied.' : 'The browser does not let this page copy.';
  }
}

/** The old way, for a page that came over plain HTTP from another machine. */
function copySelected(text) {
  const { activeElement } = document;
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'unseen';
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand('copy');
  area.remove();
  activeElement.focus({ preventScroll: true });
  return isCopied;
}

/** Saves the whole message as a file. */
export function save(message) {
  const ending = { text: 'txt', JSON: 'json', binary: 'bin' }[message.kind];
  const time = timeOfDay(new Date(message.at)).replaceAll(/[:.]/g, '-');
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([message.data]));
  link.download = message.name || `${message.way}-${time}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), SAVE_MS);
}
