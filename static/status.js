// The status page: reads the event stream of wsd, and shows each snapshot.

import { Rates } from './status-rates.js';
import { Table } from './status-table.js';
import { age, bytes, counted, grouped, plain, time, traffic } from './status-text.js';

/** The pause before a new try, in milliseconds, when the server has refused the stream. */
const AGAIN = 5000;

/** The time for which a session that could not be ended is told, in milliseconds: snapshots come each second. */
const TOLD = 10000;

const find = (selector) => document.querySelector(selector);
const [state, filter, confirm] = ['#state', '#filter', '#confirm'].map(find);
const mayEnd = 'admin' in document.documentElement.dataset;
const rates = { sessions: new Rates(), rooms: new Rates() };
const sum = ({ in: input, out: output }) => input.bytes + output.bytes;
const memory = (row) => (row.memory === null ? '' : bytes(row.memory));

/** A column of text; a number is sorted from the largest. */
const column = (id, title, value, text, number = false) => ({ id, title, value, text, number });
const inColumn = column('in', 'In', (row) => row.in.bytes, (row) => traffic(row.in), true);
const outColumn = column('out', 'Out', (row) => row.out.bytes, (row) => traffic(row.out), true);
const ageColumn = column('age', 'Age', (row) => row.age, (row) => age(row.age), true);
const memoryColumn = column('memory', 'Memory', (row) => row.memory, memory, true);

/** A column with a chart of the last minutes. */
const chart = (of, name) => ({
  id: 'chart',
  title: 'Last 3 min',
  number: true,
  value: (row) => of.latest(name(row)),
  make: () => {
    const canvas = document.createElement('canvas');
    canvas.setAttribute('role', 'img');
    return canvas;
  },
  draw: (canvas, row) => {
    of.draw(canvas, name(row));
    const told = `${bytes(of.latest(name(row)))} a second now`;
    if (canvas.title !== told) {
      canvas.title = told;
      canvas.setAttribute('aria-label', told);
    }
  },
});

/** A cell that is a button. */
const button = (text, label, act) => ({
  make: (row) => {
    const made = document.createElement('button');
    made.type = 'button';
    made.addEventListener('click', () => act(row()));
    return made;
  },
  draw: (made, row) => {
    const [shown, told] = [text(row), label(row)];
    if (made.textContent !== shown) made.textContent = shown;
    if (made.getAttribute('aria-label') !== told) made.setAttribute('aria-label', told);
  },
});

const routes = new Table(find('#routes'), {
  key: (row) => row.path,
  words: (row) => `${row.path} ${row.program ?? 'files'} ${row.state}`,
  sort: { id: 'path', down: false },
  empty: 'No routes.',
  columns: [
    column('path', 'Route', (row) => row.path, (row) => row.path),
    column('program', 'Program', (row) => row.program ?? '', (row) => row.program ?? 'files'),
    column('state', 'State', (row) => row.state, (row) => row.state),
    column('now', 'Sessions now', (row) => row.sessions, (row) => grouped(row.sessions), true),
    column('all', 'In all', (row) => row.total.sessions, (row) => grouped(row.total.sessions), true),
    column('rooms', 'Rooms', (row) => row.rooms, (row) => grouped(row.rooms), true),
    column('refused', 'Refused', (row) => row.total.refused, (row) => grouped(row.total.refused), true),
    column('in', 'In', (row) => row.total.in.bytes, (row) => traffic(row.total.in), true),
    column('out', 'Out', (row) => row.total.out.bytes, (row) => traffic(row.total.out), true),
  ],
});

const endColumn = {
  id: 'end',
  title: 'End',
  hidden: true,
  unsorted: true,
  ...button(() => 'End', (row) => `End session ${row.conn}`, askToEnd),
};
/** The process of a session, or that of its room. */
const programColumn = column('pid', 'Process', (row) => row.pid ?? row.room, (row) => (row.room ? `room ${row.room}` : String(row.pid ?? '')), true);
const sessionColumns = [
  column('conn', 'Session', (row) => row.conn, (row) => String(row.conn), true),
  column('peer', 'Peer', (row) => row.peer, (row) => row.peer),
  column('user', 'User', (row) => row.user ?? '', (row) => row.user ?? ''),
  column('route', 'Route', (row) => row.route, (row) => row.route),
  ageColumn,
  inColumn,
  outColumn,
  chart(rates.sessions, (row) => row.conn),
  column('state', 'State', (row) => row.state, (row) => (row.transport === 'ws' ? row.state : `${row.state}, ${row.transport}`)),
  programColumn,
  memoryColumn,
];
const sessions = new Table(find('#sessions'), {
  key: (row) => row.conn,
  words: (row) => [row.conn, row.peer, row.user ?? '', row.route, row.transport, row.state, row.pid ?? '', row.room ? `room-${row.room}` : ''].join(' '),
  sort: { id: 'conn', down: false },
  empty: 'No sessions now.',
  columns: mayEnd ? [...sessionColumns, endColumn] : sessionColumns,
});

/** The process of a room, or its path if the process is on another node. */
const roomKey = (row) => row.pid ?? `${row.route} ${row.path}`;
const rooms = new Table(find('#rooms'), {
  key: roomKey,
  words: (row) => `${row.route} ${row.path} room-${row.pid} ${row.members.join(' ')} ${row.node ?? ''}`,
  sort: { id: 'path', down: false },
  empty: 'No rooms now.',
  columns: [
    column('path', 'Path', (row) => row.path, (row) => row.path),
    column('route', 'Route', (row) => row.route, (row) => row.route),
    {
      id: 'members',
      title: 'Members',
      number: true,
      value: (row) => row.members.length,
      ...button(
        (row) => counted(row.members.length, 'member') + (row.others?.length ? ` and ${row.others.length} elsewhere` : ''),
        (row) => `${counted(row.members.length, 'member')} of the room ${plain(row.path)}: show them among the sessions`,
        (row) => {
          setFilter(`room-${row.pid}`);
          find('#sessions').scrollIntoView({ block: 'nearest' });
        },
      ),
    },
    column('list', 'Their sessions', (row) => row.members[0] ?? 0, (row) => row.members.slice(0, 20).join(', ') + (row.members.length > 20 ? ' …' : '')),
    ageColumn,
    inColumn,
    outColumn,
    chart(rates.rooms, roomKey),
    column('pid', 'Process', (row) => row.pid ?? 0, (row) => [row.pid, row.node && `on ${row.node}`].filter(Boolean).join(' '), true),
    memoryColumn,
  ],
});

const recent = new Table(find('#recent'), {
  key: (row) => row.key,
  words: (row) => [row.state, row.conn ?? '', row.reason, row.code ?? '', row.peer, row.user ?? '', row.route].join(' '),
  sort: { id: 'at', down: true },
  empty: 'No session has ended, and wsd has refused nothing.',
  columns: [
    column('at', 'Time', (row) => row.at, (row) => time(row.at), true),
    column('state', 'What', (row) => row.state, (row) => row.state),
    column('reason', 'Reason', (row) => row.reason, (row) => (row.code ? `${row.reason} (${row.code})` : row.reason)),
    column('conn', 'Session', (row) => row.conn ?? 0, (row) => String(row.conn ?? ''), true),
    column('peer', 'Peer', (row) => row.peer, (row) => row.peer),
    column('user', 'User', (row) => row.user ?? '', (row) => row.user ?? ''),
    column('route', 'Route', (row) => row.route, (row) => row.route),
    column('age', 'Lasted', (row) => row.secs ?? 0, (row) => (row.state === 'ended' ? age(row.secs) : ''), true),
    column('in', 'In', (row) => row.in?.bytes ?? 0, (row) => (row.in ? traffic(row.in) : ''), true),
    column('out', 'Out', (row) => row.out?.bytes ?? 0, (row) => (row.out ? traffic(row.out) : ''), true),
  ],
});
const tables = [routes, sessions, rooms, recent];

/** The ends and the refusals as rows of one table. Refusals of one moment are numbered. */
function recentRows({ ends, refusals }) {
  const times = new Map();
  const keyOf = ({ at, peer, why }) => {
    const name = `${at} ${peer} ${why}`;
    const nth = times.get(name) ?? 0;
    times.set(name, nth + 1);
    return `${name} ${nth}`;
  };
  return [
    ...ends.map((end) => ({ ...end, key: `end ${end.conn}`, state: 'ended', reason: end.end })),
    ...refusals.map((refusal) => ({ ...refusal, key: keyOf(refusal), state: 'refused', reason: refusal.why })),
  ];
}

/** When the state of the connection is told again. */
let toldUntil = 0;

/** Shows a snapshot. */
export function show(snapshot) {
  rates.sessions.update(snapshot.sessions, (row) => row.conn);
  rates.rooms.update(snapshot.rooms, roomKey);
  routes.update(snapshot.routes);
  sessions.update(snapshot.sessions);
  rooms.update(snapshot.rooms);
  recent.update(recentRows(snapshot));
  const traffics = snapshot.sessions.reduce((all, row) => all + rates.sessions.latest(row.conn), 0);
  if (performance.now() >= toldUntil) tell('open', 'Live', `${counted(snapshot.sessions.length, 'session')}, ${bytes(traffics)} a second`);
  if (performance.getEntriesByName('shown').length === 0) performance.mark('shown');
}

function tell(kind, word, more) {
  state.dataset.state = kind;
  if (state.firstElementChild.textContent !== word) state.firstElementChild.textContent = word;
  let rest = state.lastElementChild;
  if (rest === state.firstElementChild) {
    rest = document.createElement('span');
    // A screen reader hears of the connection, not of each second.
    rest.setAttribute('aria-hidden', 'true');
    state.append(rest);
  }
  if (rest.textContent !== more) rest.textContent = more;
}

function watch() {
  const source = new EventSource('status');
  source.addEventListener('message', ({ data }) => show(JSON.parse(data)));
  source.addEventListener('error', () => {
    if (source.readyState === EventSource.CLOSED) {
      tell('failed', 'Refused', 'the log of wsd tells why; the page tries again');
      setTimeout(watch, AGAIN);
    } else {
      tell('wait', 'Connection lost', 'the page tries again');
    }
  });
}

function setFilter(text) {
  filter.value = text;
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  for (const table of tables) table.filter(words);
}

let asked = null;

function askToEnd(row) {
  asked = row;
  const user = row.user ? `, user ${plain(row.user)}` : '';
  find('#confirm-text').textContent = `Session ${row.conn} of ${row.peer}${user}, on the route ${plain(row.route)}. Its client is closed with 1008.`;
  confirm.returnValue = '';
  confirm.showModal();
}

confirm.addEventListener('close', async () => {
  if (confirm.returnValue !== 'end' || !asked) return;
  const { conn } = asked;
  asked = null;
  const answer = await fetch(`end?conn=${conn}`, { method: 'POST' }).catch(() => null);
  if (answer?.ok) return;
  tell('failed', 'Not ended', `session ${conn}: ${answer ? `wsd answered ${answer.status}` : 'wsd did not answer'}`);
  toldUntil = performance.now() + TOLD;
});

filter.addEventListener('input', () => setFilter(filter.value));
document.addEventListener('keydown', (event) => {
  const isWriting = event.target.matches('input') || confirm.open;
  if (event.key === '/' && !isWriting && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    filter.focus();
  } else if (event.key === 'Escape' && event.target === filter) {
    setFilter('');
  }
});
watch();
