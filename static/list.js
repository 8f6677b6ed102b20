// A bounded list of rows, newest last, that keeps up with a flood.

/** Rows kept; older ones go first. */
const ROWS_MAX = 500;

/** Characters of a text that are shown: a program may print a line of any length. */
const SHOWN_MAX = 2000;

/**
 * Makes `place` a list: `add` takes an entry, with which `row` fills a list item; `remove` takes away the items that a
 * selector names; `clear` empties it. What an empty list says stands in the place's `data-empty`.
 *
 * Rows are put on the page once a frame, however many have come; a page in the background gets no frames, so what
 * waits is bounded like what is shown. The view stays at the end unless the reader has scrolled up; then a button tells
 * of new rows, by the name in the place's `data-rows`, and leads to them.
 */
export function createList(place, row) {
  const list = place.appendChild(document.createElement('ol'));
  list.dataset.empty = place.dataset.empty ?? '';
  const newer = document.createElement('button');
  const beside = document.createElement('div');
  let waiting = [];
  let follows = true;
  let unseen = 0;

  newer.type = 'button';
  newer.hidden = true;
  newer.addEventListener('click', () => {
    follows = true;
    follow();
    place.focus();
  });
  beside.className = 'newer';
  beside.append(newer);
  place.after(beside);

  function render() {
    if (!follows) unseen += waiting.length;
    list.append(...waiting.map((entry) => {
      const item = document.createElement('li');
      row(item, entry);
      return item;
    }));
    waiting = [];
    while (list.childElementCount > ROWS_MAX) list.firstElementChild.remove();
    follow();
  }

  function follow() {
    if (follows) {
      place.scrollTop = place.scrollHeight;
      unseen = 0;
    }
    const rows = place.dataset.rows ?? 'lines';
    newer.textContent = `↓ ${unseen} new ${unseen === 1 ? rows.slice(0, -1) : rows}`;
    newer.hidden = unseen === 0;
  }

  place.addEventListener('scroll', () => {
    follows = place.scrollHeight - place.scrollTop - place.clientHeight < 24;
    if (follows) follow();
  });
  new ResizeObserver(follow).observe(place);

  return {
    add(entry) {
      if (waiting.length === 0) requestAnimationFrame(render);
      waiting.push(entry);
      if (waiting.length > ROWS_MAX) waiting.shift();
    },
    remove(selector) {
      render();
      list.querySelectorAll(selector).forEach((item) => item.remove());
    },
    clear() {
      waiting.length = 0;
      unseen = 0;
      follows = true;
      list.replaceChildren();
      follow();
    },
  };
}

/** A piece of a row: a `span` of class `name` with a text, which is never HTML. */
export function cell(name, text) {
  const span = document.createElement('span');
  span.className = name;
  span.textContent = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)} … (${text.length} characters)` : text;
  return span;
}
