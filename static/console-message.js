// One message: its kind and size, its row in the log, its details.

import { grouped, hexDump, hexOf, isJson, laidOut, marked, timeOfDay, visible, visibleLine } from './console-text.js';

/** What a row shows of a message before its details are asked for. */
const ROW_CHARS_MAX = 240;
const ROW_LINES_MAX = 3;
const ROW_BYTES_MAX = 16;
const ROW_BYTES_AS_TEXT_MAX = 40;

/** What the details show; the rest is for a file. 64 Ki characters are some 600 lines. */
const DETAIL_CHARS_MAX = 1 << 16;
const DETAIL_BYTES_MAX = 1 << 14;

/** The longest text that is looked at as JSON. */
const JSON_CHARS_MAX = 1 << 20;

const WAYS = {
  received: ['↓', 'received'],
  sent: ['↑', 'sent'],
  event: ['·', 'event'],
};

const rowTemplate = document.querySelector('#row').content.firstElementChild;

export class Message {
  #row = null;
  #isJson = null;

  /**
   * `way` is `received`, `sent` or `event`, what happened to the connection; `data` a string or a `Uint8Array`; `name`
   * the name of a file, `tone` that of a state.
   */
  constructor(way, data, { name = '', tone = '' } = {}) {
    this.at = Date.now();
    this.way = way;
    this.data = data;
    this.name = name;
    this.tone = tone;
    this.isOpen = false;
  }

  get isText() { return typeof this.data === 'string'; }

  /** Bytes of memory, about. */
  get weight() { return this.isText ? this.data.length : this.data.byteLength; }

  get isJson() {
    this.#isJson ??= this.isText && this.way !== 'event' && this.data.length <= JSON_CHARS_MAX && isJson(this.data);
    return this.#isJson;
  }

  /** Whether there is more to it than its row shows. */
  get #hasDetails() {
    return !this.isText ? this.data.length > 0 : this.isJson || firstLines(this.data).length < this.data.length;
  }

  matches(pattern) {
    if (this.isText) return pattern.test(this.data);
    return pattern.test(this.name) || pattern.test(new TextDecoder().decode(this.data.subarray(0, DETAIL_CHARS_MAX)));
  }

  /** The row, made when it is first asked for. */
  get row() {
    this.#row ??= this.#makeRow();
    return this.#row;
  }

  /** Shows or hides the details; a message that its row shows whole has none. */
  open(isOpen) {
    if (!this.#hasDetails || this.isOpen === isOpen) return;
    this.isOpen = isOpen;
    const { row } = this;
    row.querySelector('.toggle').ariaExpanded = String(isOpen);
    row.querySelector('.body').replaceChildren(isOpen ? this.#details() : this.#summary());
  }

  #makeRow() {
    const row = rowTemplate.cloneNode(true);
    const [time, way, toggle, body, meta] = row.children;
    const date = new Date(this.at);
    const [arrow, word] = WAYS[this.way];
    row.dataset.way = this.way;
    if (this.tone) row.dataset.state = this.tone;
    time.textContent = timeOfDay(date);
    time.dateTime = date.toISOString();
    way.textContent = arrow;
    way.ariaLabel = word;
    toggle.hidden = !this.#hasDetails;
    body.append(this.#summary());
    if (this.way !== 'event') meta.textContent = `${this.kind} ${grouped(this.#size)} B`;
    return row;
  }

  get kind() {
    if (!this.isText) return 'binary';
    return this.isJson ? 'JSON' : 'text';
  }

  /** Bytes as sent; ASCII need not be encoded for that, which a flood of long lines would feel. */
  get #size() {
    return this.isText && /[^\0-\x7f]/.test(this.data) ? new TextEncoder().encode(this.data).length : this.data.length;
  }

  #summary() {
    const fragment = new DocumentFragment();
    if (this.name) fragment.append(marked('name', visible(this.name)), ' ');
    if (this.data.length === 0) {
      fragment.append(marked('quiet', 'empty'));
    } else if (this.isText) {
      const shown = firstLines(this.data);
      fragment.append(visible(shown));
      if (shown.length < this.data.length) fragment.append(marked('quiet', ' …'));
    } else {
      const more = this.data.length > ROW_BYTES_MAX ? ' …' : '';
      const text = new TextDecoder().decode(this.data.subarray(0, ROW_BYTES_AS_TEXT_MAX));
      fragment.append(hexOf(this.data.subarray(0, ROW_BYTES_MAX)), more, '  ', marked('quiet', visibleLine(text)));
    }
    return fragment;
  }

  #details() {
    const pre = document.createElement('pre');
    const fragment = new DocumentFragment();
    fragment.append(pre);
    if (!this.isText) {
      const width = matchMedia('(max-width: 40rem)').matches ? 8 : 16;
      pre.className = 'dump';
      pre.append(hexDump(this.data.subarray(0, DETAIL_BYTES_MAX), width));
      if (this.name) fragment.prepend(marked('name', visible(this.name)));
      if (this.data.length > DETAIL_BYTES_MAX) fragment.append(rest(DETAIL_BYTES_MAX, this.data.length, 'bytes'));
    } else if (this.isJson) {
      const layout = laidOut(this.data, DETAIL_CHARS_MAX);
      pre.append(layout.fragment);
      if (!layout.whole) fragment.append(rest(pre.textContent.length, null, 'characters'));
    } else {
      pre.append(visible(front(this.data, DETAIL_CHARS_MAX)));
      if (this.data.length > DETAIL_CHARS_MAX) fragment.append(rest(DETAIL_CHARS_MAX, this.data.length, 'characters'));
    }
    return fragment;
  }
}

/** What a row shows of a text. */
function firstLines(text) {
  return front(text, ROW_CHARS_MAX).split('\n').slice(0, ROW_LINES_MAX).join('\n');
}

/** The front of a text, not cut within a surrogate pair. */
function front(text, charsMax) {
  const cut = text.slice(0, charsMax);
  return cut.length < text.length ? cut.replace(/[\ud800-\udbff]$/, '') : cut;
}

/** Tells how much is shown, and offers the whole. */
function rest(shown, all, unit) {
  const line = document.createElement('p');
  const button = document.createElement('button');
  button.type = 'button';
  button.dataset.act = 'save';
  button.textContent = 'Save the whole';
  line.className = 'rest';
  line.append(`The first ${grouped(shown)}${all === null ? '' : ` of ${grouped(all)}`} ${unit} are shown. `, button);
  return line;
}
