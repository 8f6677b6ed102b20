// A bounded list of rows, newest last, that keeps up with a flood.

/** Rows kept; older ones go first. */
const ROWS_MAX = 500;

/** Characters of a text that are shown: a program may print a line of any length. */
const SHOWN_MAX = 2000;

/**
 * Makes `place` a list: `add` takes an entry, with which `row` fills a list item; `clear` empties it. What an empty
 * list says stands in the place's `data-empty`.
 *
 * Rows are put on the page once a frame, however many have come; a page in the background gets no frames, so what
 * waits is bounded like what is shown. The view stays at the end unless the reader has scrolled up.
 */
export function createList(place, row) {
  const list = place.appendChild(document.createElement('ol'));
  list.dataset.empty = place.dataset.empty ?? '';
  let waiting = [];
  let follows = true;

  function render() {
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
    if (follows) place.scrollTop = place.scrollHeight;
  }

  place.addEventListener('scroll', () => {
    follows = place.scrollHeight - place.scrollTop - place.clientHeight < 24;
  });
  new ResizeObserver(follow).observe(place);

  return {
    add(entry) {
      if (waiting.length === 0) requestAnimationFrame(render);
      waiting.push(entry);
      if (waiting.length > ROWS_MAX) waiting.shift();
    },
    clear() {
      waiting.length = 0;
      list.replaceChildren();
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
