// The lines sent before, per URL: kept in this browser, or for this page only where storage is not to be had.

const KEY = 'wsd.console.history';

/** URLs remembered; the one used longest ago goes first. */
const URLS_MAX = 20;

/** Lines remembered for each URL; older ones go first. */
const LINES_MAX = 100;

/** Characters of a line that is remembered. All at their most are 2,000,000, and browsers store about 5,000,000. */
const LINE_CHARS_MAX = 1000;

/** The lines of one URL at a time, and the place in them; past the newest stands the draft, what is being typed. */
export class LineHistory {
  #url = '';
  #lines = [];
  #place = 0;
  #draft = '';

  /** Goes to the lines of `url`. */
  open(url) {
    this.#url = url;
    this.#lines = load().get(url) ?? [];
    this.#place = this.#lines.length;
  }

  /** Remembers a line that was sent; one sent before moves to the end, so that it stands there once. */
  add(line) {
    if (line !== '' && line.length <= LINE_CHARS_MAX) {
      const stored = load().get(this.#url) ?? this.#lines; // another tab may have added to it
      this.#lines = [...stored.filter((other) => other !== line), line].slice(-LINES_MAX);
      this.#store();
    }
    this.#place = this.#lines.length;
  }

  /** The line before, or `null` at the oldest; `draft` is what stands in the field now. */
  older(draft) {
    if (this.#place === 0) return null;
    if (this.#place === this.#lines.length) this.#draft = draft;
    this.#place -= 1;
    return this.#lines[this.#place];
  }

  /** The line after, at the end the draft, or `null` past it. */
  newer() {
    if (this.#place >= this.#lines.length) return null;
    this.#place += 1;
    return this.#place === this.#lines.length ? this.#draft : this.#lines[this.#place];
  }

  /** Forgets the lines of every URL. */
  forget() {
    this.#lines = [];
    this.#place = 0;
    try {
      localStorage.removeItem(KEY);
    } catch { /* nothing was stored */ }
  }

  #store() {
    const all = load();
    all.delete(this.#url);
    all.set(this.#url, this.#lines);
    try {
      localStorage.setItem(KEY, JSON.stringify([...all].slice(-URLS_MAX)));
    } catch { /* full or forbidden: the lines last as long as the page */ }
  }
}

/** What is stored, as URL → lines; nothing if it cannot be read or is not what this page stores. */
function load() {
  try {
    const all = new Map(JSON.parse(localStorage.getItem(KEY)));
    const isLine = (line) => typeof line === 'string';
    for (const [url, lines] of all) if (!Array.isArray(lines) || !lines.every(isLine)) all.delete(url);
    return all;
  } catch {
    return new Map();
  }
}
