// The canvas that is drawn on together: each piece of a stroke is a line of JSON, which `cat` repeats to everybody.
//
// There are two canvases. The lower one shows what has come back, so it is drawn in the same order on every page; the
// one above shows at once what this page has sent, until that has come back too.

import { follow } from './header.js';
import { parse } from './parse.js';
import { WsdSocket } from './wsd.js';

/** The paper in its own units, whatever its size on the screen: square, to be as large as can be on phones, too. */
const WIDTH = 1200;
const HEIGHT = 1200;

/** The same for everybody, by day and by night: one drawing has one look. */
const PAPER = '#fbf9f3';
const COLOURS = [
  ['Ink', '#1c2226'], ['Red', '#c62828'], ['Orange', '#d9730d'], ['Green', '#1b7f4b'], ['Blue', '#1f5fbf'],
  ['Violet', '#7b3fb5'], ['Eraser', PAPER],
];
const WIDTHS = [['Fine', 5], ['Medium', 14], ['Broad', 44]];

/** Points of one message; a longer stroke comes in several, each beginning where the last one ended. */
const POINTS_MAX = 64;
/** A stroke under way is sent this often. */
const SEND_MS = 60;
/** Points closer than this are one. */
const NEAR = 3;

const paper = document.querySelector('#paper');
const crosshair = document.querySelector('#crosshair');
const hint = document.querySelector('#hint');
const drawn = document.querySelector('#drawn').getContext('2d');
const mine = document.querySelector('#mine').getContext('2d');
const chosen = { colour: 0, width: 0 };

/** This page's mark on its messages. */
const me = Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => byte.toString(16).padStart(2, '0')).join('');

// Sending.

let underway = 0; // messages that have not come back
let kept = 0; // messages that wait for a connection
const strokes = new Set(); // that are being drawn

function post(message) {
  try {
    socket.send(JSON.stringify({ from: me, ...message }));
    if (socket.readyState === WsdSocket.OPEN) underway += 1;
    if (socket.readyState === WsdSocket.CONNECTING) kept += 1;
  } catch (error) {
    hint.textContent = `Not sent: ${error.message}.`;
  }
}

/** A stroke that is being drawn. */
class Stroke {
  #points = [];
  #timer = null;
  #look = { ...chosen };
  #isBegun = false;

  constructor(point) {
    strokes.add(this);
    this.#points.push(...point);
    draw(mine, { ...this.#look, points: point });
    this.#timer = setInterval(() => this.#send(), SEND_MS);
  }

  to(point) {
    const last = this.#points.slice(-2);
    if (Math.hypot(point[0] - last[0], point[1] - last[1]) < NEAR) return;
    draw(mine, { ...this.#look, points: [...last, ...point] });
    this.#points.push(...point);
    if (this.#points.length >= 2 * POINTS_MAX) this.#send();
  }

  end() {
    clearInterval(this.#timer);
    this.#send();
    strokes.delete(this);
    settle();
  }

  #send() {
    if (this.#isBegun && this.#points.length === 2) return;
    post({ ...this.#look, points: this.#points });
    this.#isBegun = true;
    this.#points = this.#points.slice(-2);
  }
}

// Receiving.

function receive({ data }) {
  const message = parse(data);
  if (message?.clear === true) drawn.clearRect(0, 0, WIDTH, HEIGHT);
  else if (isStroke(message)) draw(drawn, message);
  else return;
  if (message.from === me && underway > 0) {
    underway -= 1;
    settle();
  }
}

/** Whether a message, which anybody may have sent, can be drawn. */
function isStroke(message) {
  const isWithin = (number, end) => Number.isInteger(number) && number >= 0 && number < end;
  const points = message?.points;
  return Array.isArray(points) && points.length >= 2 && points.length <= 2 * POINTS_MAX && points.length % 2 === 0
    && points.every((number, index) => isWithin(number, (index % 2 === 0 ? WIDTH : HEIGHT) + 1))
    && isWithin(message.colour, COLOURS.length) && isWithin(message.width, WIDTHS.length);
}

/** Clears the upper canvas once the lower one shows everything. */
function settle() {
  if (strokes.size === 0 && underway === 0 && kept === 0) mine.clearRect(0, 0, WIDTH, HEIGHT);
}

function draw(canvas, { colour, width, points }) {
  const line = new Path2D();
  line.moveTo(points[0], points[1]);
  for (let index = 2; index < points.length; index += 2) line.lineTo(points[index], points[index + 1]);
  if (points.length === 2) line.lineTo(points[0] + 0.01, points[1]); // a dot
  canvas.strokeStyle = COLOURS[colour][1];
  canvas.lineWidth = WIDTHS[width][1];
  canvas.lineCap = 'round';
  canvas.lineJoin = 'round';
  canvas.stroke(line);
}

/** A new session begins with the last strokes of all; then come those that were kept here. */
function begin() {
  drawn.clearRect(0, 0, WIDTH, HEIGHT);
  hint.textContent = '';
  underway = kept;
  kept = 0;
  settle();
}

/** The session goes on: what was kept here is on its way. */
function goOn() {
  underway += kept;
  kept = 0;
}

/** After the last session nothing more comes back. */
function end() {
  underway = 0;
  kept = 0;
  settle();
}

// Drawing with mouse, finger or pen.

const pointers = new Map(); // strokes by pointer

function pointOf(event) {
  const box = paper.getBoundingClientRect();
  const scale = (part, whole) => Math.round(Math.min(Math.max(part, 0), 1) * whole);
  const x = scale((event.clientX - box.left) / box.width, WIDTH);
  const y = scale((event.clientY - box.top) / box.height, HEIGHT);
  return [x, y];
}

paper.addEventListener('pointerdown', (event) => {
  if (event.button !== 0) return;
  paper.setPointerCapture(event.pointerId);
  crosshair.hidden = true;
  pointers.set(event.pointerId, new Stroke(pointOf(event)));
});

paper.addEventListener('pointermove', (event) => {
  const stroke = pointers.get(event.pointerId);
  if (!stroke) return;
  const steps = event.getCoalescedEvents?.() ?? [];
  for (const step of steps.length > 0 ? steps : [event]) stroke.to(pointOf(step));
});

for (const type of ['pointerup', 'pointercancel']) {
  paper.addEventListener(type, (event) => {
    pointers.get(event.pointerId)?.end();
    pointers.delete(event.pointerId);
  });
}

// Drawing with the keyboard.

const pen = { x: WIDTH / 2, y: HEIGHT / 2, stroke: null };
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function press(event) {
  const step = STEPS[event.key];
  if (step) {
    const far = event.shiftKey ? 80 : 16;
    pen.x = Math.min(Math.max(pen.x + step[0] * far, 0), WIDTH);
    pen.y = Math.min(Math.max(pen.y + step[1] * far, 0), HEIGHT);
    pen.stroke?.to([pen.x, pen.y]);
  } else if (event.key === ' ' && pen.stroke) {
    lift();
  } else if (event.key === ' ') {
    pen.stroke = new Stroke([pen.x, pen.y]);
  } else {
    return;
  }
  event.preventDefault();
  showPen();
}

function lift() {
  pen.stroke?.end();
  pen.stroke = null;
}

function showPen() {
  crosshair.hidden = false;
  crosshair.dataset.pen = pen.stroke ? 'down' : 'up';
  crosshair.style.setProperty('left', `${(pen.x / WIDTH) * 100}%`);
  crosshair.style.setProperty('top', `${(pen.y / HEIGHT) * 100}%`);
}

paper.addEventListener('keydown', press);
paper.addEventListener('blur', () => {
  lift();
  crosshair.hidden = true;
});

// The tools.

function offer(place, name, choices, style) {
  choices.forEach(([label, value], index) => {
    const option = document.createElement('label');
    const radio = Object.assign(document.createElement('input'), { type: 'radio', name, ariaLabel: label });
    const sample = document.createElement('span');
    radio.defaultChecked = index === 0;
    radio.addEventListener('change', () => { chosen[name] = index; });
    sample.style.setProperty(style, typeof value === 'number' ? `${4 + value * 0.4}px` : value);
    option.title = label;
    option.append(radio, sample);
    place.append(option);
  });
}

paper.style.setProperty('--sheet', PAPER);
offer(document.querySelector('#colours'), 'colour', COLOURS, '--colour');
offer(document.querySelector('#widths'), 'width', WIDTHS, '--size');
document.querySelector('#clear').addEventListener('click', () => post({ clear: true }));

const socket = new WsdSocket('./draw', [], { resume: true });
socket.onopen = begin;
socket.onresume = ({ detail }) => detail.resumed && goOn();
socket.onclose = end;
socket.onmessage = receive;
follow(socket);
