// A bounded log of lines, newest last, that keeps up with a flood.

/** Lines kept; older ones go first. */
const LINES_MAX = 500;

/** Characters of a line that are shown: a program may print a line of any length. */
const SHOWN_MAX = 2000;

/**
 * Makes `place` a log. `begin` starts the lines of a new session; `add` takes the seconds since then, the text, and
 * whether this side `sent` it.
 *
 * Lines are put on the page once a frame, however many have come; a page in the background gets no frames, so what
 * waits is bounded like what is shown. The view stays at the end unless the reader has scrolled up.
 */
export function createLog(place) {
  const list = place.appendChild(document.createElement('ol'));
  let waiting = [];
  let first = true;

  function render() {
    const follows = place.scrollHeight - place.scrollTop - place.clientHeight < 24;
    list.append(...waiting.map(row));
    waiting = [];
    while (list.childElementCount > LINES_MAX) list.firstElementChild.remove();
    if (follows) place.scrollTop = place.scrollHeight;
  }

  return {
    begin() {
      first = true;
    },
    add(seconds, text, sent = false) {
      if (waiting.length === 0) requestAnimationFrame(render);
      waiting.push({ seconds, text, sent, first });
      if (waiting.length > LINES_MAX) waiting.shift();
      first = false;
    },
  };
}

function row({ seconds, text, sent, first }) {
  const item = document.createElement('li');
  const shown = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)} … (${text.length} characters)` : text;
  item.classList.toggle('first', first);
  item.classList.toggle('sent', sent);
  item.append(cell('time', `${seconds.toFixed(1)} s`), ' ', cell('text', shown));
  if (sent) item.append(' ', cell('tag', 'sent'));
  return item;
}

function cell(name, text) {
  const span = document.createElement('span');
  span.className = name;
  span.textContent = text;
  return span;
}
