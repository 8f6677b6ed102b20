// The log: bounded, put on the page once a frame, filtered, followed or paused, walked with the keyboard.

import { copy, save } from './console-export.js';
import { grouped } from './console-text.js';

/** Messages kept, and the bytes they may take together; the oldest go first. The newest is kept whatever its size. */
const MESSAGES_MAX = 1000;
const BYTES_MAX = 64 << 20;

/** Rows that one frame adds, the newest first: all that is seen of a flood. The frames after it add the rest. */
const FRAME_ROWS_MAX = 100;

/** A frame with more new messages is not read out by a screen reader. */
const SPOKEN_MAX = 10;

/** Between two frames the page gets this many times the cost of the first for all else. */
const REST = 2;

/** The longest message that `expand` opens; a longer one is opened by itself. 1000 of these are 2 MB of text. */
const EXPAND_BYTES_MAX = 2048;

/** As near to its end as rounding lets one tell, in pixels, the log follows. */
const END_PX = 2;

const isShort = (message) => message.weight <= EXPAND_BYTES_MAX;

const find = (id) => document.getElementById(id);

/**
 * Shows messages, the newest last.
 *
 * The view follows while it is at its end. Scrolled up, paused, or walked with the keyboard it stands still: what comes
 * meanwhile waits, bounded like all, and is counted.
 */
export class Log {
  #scroller = find('log');
  #list = find('messages');
  #newer = find('newer');
  #pause = find('pause');
  #count = find('count');
  #actions = find('actions').content.firstElementChild;
  #note;

  #kept = [];
  #bytes = 0;
  #total = 0;
  #counts = { received: 0, sent: 0, event: 0 };

  #view = []; // what was kept when the page was last brought up to date
  #viewed = 0; // of the total
  #shown = []; // what the filter lets pass of the view
  #messages = new WeakMap(); // row → message
  #isStill = false;
  #isHeld = false; // still, and not because it was scrolled

  #way = '';
  #pattern = null;
  #expands = false;
  #isDue = false;
  #restUntil = 0;

  /** `note` is told in a few words what was done with a message. */
  constructor(note) {
    this.#note = note;
    this.#scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    this.#scroller.addEventListener('keydown', (event) => this.#pressed(event));
    this.#list.addEventListener('pointerover', ({ target }) => this.#offerActions(target));
    this.#list.addEventListener('focusin', ({ target }) => this.#offerActions(target));
    this.#list.addEventListener('click', ({ target }) => this.#clicked(target));
    this.#newer.addEventListener('click', () => { this.follow(); this.focus(); });
    new ResizeObserver(() => { if (!this.#isStill) this.#toEnd(); }).observe(this.#scroller);
  }

  add(message) {
    message.number = this.#total;
    this.#kept.push(message);
    this.#bytes += message.weight;
    this.#total += 1;
    this.#counts[message.way] += 1;
    // A page in the background gets no frames, so what waits for one is bounded here.
    if (this.#kept.length > 2 * MESSAGES_MAX || this.#bytes > 2 * BYTES_MAX) this.#trim();
    this.#schedule();
  }

  clear() {
    this.#kept = [];
    this.#bytes = 0;
    this.#total = 0;
    this.#counts = { received: 0, sent: 0, event: 0 };
    this.#viewed = 0;
    this.#shown = [];
    this.follow();
  }

  /** Shows only messages that go this `way`, if one is named, and contain `text`, in whatever case. */
  filter(way, text) {
    this.#way = way;
    this.#pattern = text === '' ? null : new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'), 'iu');
    this.#shown = this.#view.filter((message) => this.#passes(message));
    this.#list.replaceChildren();
    this.#render();
    this.#tell();
  }

  /** Shows the details of all messages but long ones, those to come included; or of none. */
  expand(expands) {
    this.#expands = expands;
    const messages = expands ? this.#view.filter(isShort) : this.#view;
    for (const message of messages) message.open(expands);
    if (!this.#isStill) this.#toEnd();
  }

  /** Stands still, or follows again. */
  togglePause() {
    if (this.#isStill) this.follow();
    else this.#hold();
  }

  /** Goes to the newest message, and follows. */
  follow() {
    this.#isStill = false;
    this.#isHeld = false;
    this.#advance();
    this.#render();
    this.#tell();
  }

  focus() {
    this.#scroller.focus();
  }

  #hold() {
    this.#isHeld = true;
    this.#stand();
  }

  #stand() {
    if (this.#isStill) return;
    this.#isStill = true;
    this.#schedule();
    this.#tell();
  }

  #trim() {
    let count = 0;
    const isTooMuch = () => this.#kept.length - count > MESSAGES_MAX || this.#bytes > BYTES_MAX;
    for (; isTooMuch() && count < this.#kept.length - 1; count += 1) this.#bytes -= this.#kept[count].weight;
    this.#kept.splice(0, count);
  }

  #schedule() {
    if (this.#isDue) return;
    this.#isDue = true;
    const frame = () => requestAnimationFrame(() => this.#frame());
    const wait = this.#restUntil - performance.now();
    if (wait > 0) setTimeout(frame, wait);
    else frame();
  }

  #frame() {
    const start = performance.now();
    this.#isDue = false;
    if (this.#isStill) this.#trim();
    else this.#advance();
    this.#render();
    this.#tell();
    const end = performance.now();
    this.#restUntil = end + REST * (end - start);
  }

  /** Takes into the view what has come since. */
  #advance() {
    this.#trim();
    const from = this.#total - this.#kept.length;
    const fresh = this.#kept.slice(Math.max(0, this.#viewed - from));
    this.#view = [...this.#kept];
    this.#viewed = this.#total;
    this.#shown = this.#shown.filter(({ number }) => number >= from);
    this.#shown.push(...fresh.filter((message) => this.#passes(message)));
    this.#scroller.ariaLive = fresh.length > SPOKEN_MAX ? 'off' : 'polite';
  }

  #passes(message) {
    return (!this.#way || message.way === this.#way) && (!this.#pattern || message.matches(this.#pattern));
  }

  /** Puts `shown` on the page, the newest first and not all at once. The page holds a run of it, without a gap. */
  #render() {
    const list = this.#list;
    const shown = this.#shown;
    const hadFocus = list.contains(document.activeElement);
    const fromEnd = this.#isStill ? this.#scroller.scrollHeight - this.#scroller.scrollTop : 0;

    const oldest = shown[0]?.number ?? Infinity;
    while (list.firstChild && this.#messages.get(list.firstChild).number < oldest) list.firstChild.remove();
    let from = list.firstChild ? shown.indexOf(this.#messages.get(list.firstChild)) : shown.length;
    let to = from + list.childElementCount;
    if (shown.length - to > FRAME_ROWS_MAX) {
      list.replaceChildren();
      from = shown.length;
      to = shown.length;
    }
    const room = FRAME_ROWS_MAX - (shown.length - to);
    list.append(...shown.slice(to).map((message) => this.#rowOf(message)));
    list.prepend(...shown.slice(Math.max(0, from - room), from).map((message) => this.#rowOf(message)));
    if (from > room) this.#schedule();

    if (hadFocus && !list.contains(document.activeElement)) this.#scroller.focus({ preventScroll: true });
    if (this.#isStill) this.#scroller.scrollTop = this.#scroller.scrollHeight - fromEnd;
    else this.#toEnd();
  }

  #rowOf(message) {
    const { row } = message;
    if (!this.#messages.has(row)) {
      this.#messages.set(row, message);
      if (this.#expands && isShort(message)) message.open(true);
    }
    return row;
  }

  #tell() {
    const waiting = this.#total - this.#viewed;
    const way = this.#isHeld ? 'Paused: follow ↓' : 'To the newest ↓';
    this.#pause.ariaPressed = String(this.#isStill);
    this.#newer.hidden = !this.#isStill;
    this.#newer.textContent = waiting > 0 ? `${grouped(waiting)} newer ↓` : way;

    const isFiltered = this.#way !== '' || this.#pattern !== null;
    const kept = this.#total > this.#kept.length ? ` · last ${grouped(this.#kept.length)} kept` : '';
    const some = isFiltered ? ` · ${grouped(this.#shown.length)} shown` : kept;
    this.#count.textContent = `${grouped(this.#counts.received)} received, ${grouped(this.#counts.sent)} sent${some}`;
  }

  get #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight <= END_PX;
  }

  #toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #scrolled() {
    if (!this.#isAtEnd) this.#stand();
    else if (this.#isStill && !this.#isHeld) this.follow();
  }

  /** Moves the actions, of which there is one set, to the row under the pointer or with the focus. */
  #offerActions(target) {
    const row = target.closest('li');
    if (!row || row.dataset.way === 'event' || row.contains(this.#actions)) return;
    if (this.#actions.contains(document.activeElement)) return;
    row.append(this.#actions);
  }

  #clicked(target) {
    const row = target.closest('li');
    const button = target.closest('button');
    if (!button) return;
    if (button.classList.contains('toggle')) this.#toggle(row);
    else this.#act(button.dataset.act, this.#messages.get(row));
  }

  #toggle(row) {
    const message = this.#messages.get(row);
    message.open(!message.isOpen);
    row.scrollIntoView({ block: 'nearest' });
    this.#scrolled();
  }

  #act(act, message) {
    if (act === 'copy') copy(message).then(this.#note);
    else save(message);
  }

  #pressed(event) {
    const row = document.activeElement.closest('li');
    const isButton = event.target.closest('button');
    if (event.ctrlKey || event.metaKey || event.altKey || (isButton && ['Enter', ' '].includes(event.key))) return;
    const keys = {
      ArrowUp: () => this.#walk(row ? row.previousElementSibling : this.#list.lastElementChild),
      ArrowDown: () => this.#walk(row ? row.nextElementSibling : this.#list.lastElementChild),
      Home: () => this.#walk(this.#list.firstElementChild),
      End: () => { this.follow(); this.#list.lastElementChild?.focus({ preventScroll: true }); },
      p: () => this.togglePause(),
      ...(row && {
        Enter: () => this.#toggle(row),
        ' ': () => this.#toggle(row),
        c: () => this.#act('copy', this.#messages.get(row)),
        s: () => this.#act('save', this.#messages.get(row)),
      }),
    };
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  #walk(row) {
    this.#hold();
    row?.focus();
  }
}
