// A table that shows only the rows in view: it costs the same with ten rows and with ten thousand.

import { grouped, plain } from './status-text.js';

/** Rows above and below those in view. */
const BEYOND = 4;

function element(name, role, kind) {
  const made = document.createElement(name);
  if (role) made.setAttribute('role', role);
  if (kind) made.className = kind;
  return made;
}

/** Sets a text, if it is another one: an equal text costs no layout. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * `columns` are `{ id, title, value, text, draw, make, number, unsorted }`: `value` is what rows are sorted by, `text` what a cell
 * shows; a cell with `make` has the element that this makes, and `draw` fills it. `key` names a row, `words` is what the filter
 * looks at.
 */
export class Table {
  #rows = [];
  #shown = [];
  #words = [];
  #inView = new Map();
  #free = [];
  #headers = new Map();
  #body = element('div', 'rowgroup', 'body');
  #space = element('div', 'presentation', 'space');
  #empty = element('p', null, 'empty');
  #table = element('div', 'table', 'table');

  constructor(section, { columns, key, words, sort, empty }) {
    Object.assign(this, { columns, key, words, sort });
    this.count = section.querySelector('.count');
    this.emptyText = empty;
    this.#table.setAttribute('aria-labelledby', section.getAttribute('aria-labelledby'));
    const head = element('div', 'rowgroup', 'head');
    const row = element('div', 'row', 'row');
    row.setAttribute('aria-rowindex', '1');
    for (const column of columns) row.append(this.#header(column));
    head.append(row);
    this.#body.tabIndex = 0;
    this.#body.setAttribute('aria-label', `Rows of: ${section.querySelector('h2').textContent}`);
    this.#body.append(this.#space);
    this.#table.append(head, this.#body);
    section.append(this.#table, this.#empty);
    this.#body.addEventListener('scroll', () => this.#draw(), { passive: true });
    this.#body.addEventListener('keydown', (event) => this.#scrollTo(event));
    new ResizeObserver(() => this.#draw()).observe(this.#body);
    matchMedia('(max-width: 48rem)').addEventListener('change', () => this.#draw());
  }

  /** Shows these rows. */
  update(rows) {
    this.#rows = rows;
    this.#arrange();
  }

  /** Shows only the rows with all these words. */
  filter(words) {
    this.#words = words;
    this.#body.scrollTop = 0;
    this.#arrange();
  }

  #header(column) {
    const cell = element('div', 'columnheader', `cell ${column.id}${column.number ? ' number' : ''}`);
    if (column.unsorted) {
      const title = element('span', null, column.hidden ? 'unseen' : '');
      title.textContent = column.title;
      cell.append(title);
      return cell;
    }
    const button = element('button');
    button.type = 'button';
    button.textContent = column.title;
    button.addEventListener('click', () => {
      // Numbers begin with the largest, texts with the first.
      const isSame = this.sort.id === column.id;
      this.sort = { id: column.id, down: isSame ? !this.sort.down : Boolean(column.number) };
      this.#arrange();
    });
    cell.append(button);
    this.#headers.set(column.id, cell);
    return cell;
  }

  #arrange() {
    for (const [id, cell] of this.#headers) {
      const order = id !== this.sort.id ? 'none' : this.sort.down ? 'descending' : 'ascending';
      if (cell.getAttribute('aria-sort') !== order) cell.setAttribute('aria-sort', order);
    }
    const has = (row) => {
      const text = this.words(row).toLowerCase();
      return this.#words.every((word) => text.includes(word));
    };
    this.#shown = this.#words.length > 0 ? this.#rows.filter(has) : [...this.#rows];
    const { value } = this.columns.find(({ id }) => id === this.sort.id);
    const way = this.sort.down ? -1 : 1;
    this.#shown.sort((one, other) => way * compare(value(one), value(other)));
    const [all, some] = [this.#rows.length, this.#shown.length];
    write(this.count, this.#words.length > 0 ? `${grouped(some)} of ${grouped(all)}` : grouped(all));
    write(this.#empty, all === 0 ? this.emptyText : 'No row has these words.');
    this.#empty.hidden = some > 0;
    this.#table.hidden = some === 0;
    this.#table.setAttribute('aria-rowcount', some + 1);
    this.#draw();
  }

  #draw() {
    const height = parseFloat(getComputedStyle(this.#body).getPropertyValue('--row'));
    this.#space.style.height = `${this.#shown.length * height}px`;
    const first = Math.max(0, Math.floor(this.#body.scrollTop / height) - BEYOND);
    const last = Math.ceil((this.#body.scrollTop + this.#body.clientHeight) / height) + BEYOND;
    const wanted = new Map();
    this.#shown.slice(first, last).forEach((row, at) => wanted.set(this.key(row), [row, first + at]));
    for (const [key, shown] of this.#inView) {
      if (!wanted.has(key)) {
        this.#inView.delete(key);
        this.#free.push(shown);
        if (shown.node.contains(document.activeElement)) this.#body.focus({ preventScroll: true });
        shown.node.hidden = true;
      }
    }
    for (const [key, [row, at]] of wanted) {
      let shown = this.#inView.get(key);
      if (!shown) {
        shown = this.#free.pop() ?? this.#make();
        this.#inView.set(key, shown);
      }
      this.#fill(shown, row, at, height);
    }
    this.#order(wanted);
  }

  #make() {
    const node = element('div', 'row', 'row');
    const shown = { node, row: null, cells: [] };
    for (const column of this.columns) {
      const cell = element('div', 'cell', `cell ${column.id}${column.number ? ' number' : ''}`);
      cell.dataset.title = column.title;
      if (column.make) cell.append(column.make(() => shown.row));
      shown.cells.push(cell);
      node.append(cell);
    }
    this.#space.append(node);
    return shown;
  }

  #fill(shown, row, at, height) {
    const { node, cells } = shown;
    shown.row = row;
    node.hidden = false;
    node.style.transform = `translateY(${at * height}px)`;
    node.setAttribute('aria-rowindex', at + 2);
    if (row.state) node.dataset.state = row.state;
    this.columns.forEach((column, index) => {
      const cell = cells[index];
      if (column.draw) {
        column.draw(cell.firstChild, row);
      } else {
        const text = plain(column.text(row));
        if (cell.textContent !== text) {
          cell.textContent = text;
          cell.title = text;
        }
      }
    });
  }

  /** Brings the rows into the order that one sees, for the Tab key and for screen readers, unless that would move the focus. */
  #order(wanted) {
    if (this.#space.contains(document.activeElement)) return;
    let before = null;
    for (const key of [...wanted.keys()].reverse()) {
      const { node } = this.#inView.get(key);
      if (node.nextElementSibling !== before) this.#space.insertBefore(node, before);
      before = node;
    }
  }

  #scrollTo(event) {
    if (event.target !== this.#body) return;
    if (event.key === 'Home') this.#body.scrollTop = 0;
    else if (event.key === 'End') this.#body.scrollTop = this.#body.scrollHeight;
    else return;
    event.preventDefault();
  }
}

const texts = new Intl.Collator('en', { numeric: true });

function compare(one, other) {
  if (one === other) return 0;
  if (one === null || one === undefined) return -1;
  if (other === null || other === undefined) return 1;
  return typeof one === 'string' ? texts.compare(one, other) : one - other;
}
