// A WebSocket that comes back: the interface of `WebSocket`, and a new session whenever one is lost.
//
//   const socket = new WsdSocket('./chat');
//   socket.onstate = ({ detail }) => showState(detail.name); // connecting, open, waiting, offline, closed
//   socket.onmessage = ({ data }) => showLine(data);
//   socket.send('hello'); // kept while there is no session, and sent as soon as there is one

/** The first wait; each loss doubles it. Up to half of a wait is left to chance, so that not all come back at once. */
const WAIT_MIN_MS = 1_000;

/** The longest wait, and that of a page which nobody sees or which has no network. */
const WAIT_MAX_MS = 30_000;

/** The least wait after a close with 1013, by which a server asks for patience. */
const PATIENCE_MS = 20_000;

/** After a session of this length the next wait is the first one again; a shorter one counts as a failed try. */
const STEADY_MS = 10_000;

/** A try that takes longer has failed: a lost network does not answer at all. */
const CONNECT_MAX_MS = 20_000;

/** What may wait to be sent. Beyond it `send` throws a `QuotaExceededError`: nothing is dropped in silence. */
const QUEUE_MESSAGES_MAX = 10_000;
const QUEUE_BYTES_MAX = 1 << 20;

/** Servers on this machine, which need no network. */
const LOCAL = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/;

/** Ends that may pass: the server goes away, is lost, fails or is busy, or its program ended with an error. */
const mayPass = ({ code }) => code === 1001 || code === 1006 || (code >= 1011 && code <= 1014) || code >= 4000;

export class WsdSocket extends EventTarget {
  #url;
  #protocols;
  #retry;
  #binaryType = 'blob';
  #socket = null;
  #state = null;
  #phase = new AbortController(); // the timer and the listeners of this state
  #isLeaving = false;
  #openedAt = null;
  #losses = 0;
  #queue = [];
  #queueBytes = 0;

  /** `retry` tells, from the `code`, the `reason` and more of an end, whether another session shall follow. */
  constructor(url, protocols = [], { retry = mayPass } = {}) {
    super();
    for (const type of ['open', 'message', 'error', 'close', 'state']) {
      this[`on${type}`] = null;
      this.addEventListener(type, (event) => this[`on${type}`]?.(event));
    }
    this.url = url;
    this.#protocols = protocols;
    this.#retry = retry;
    this.#connect();
  }

  /** May be set, which holds from the next session on. */
  set url(url) {
    this.#url = new URL(url, document.baseURI);
    this.#url.protocol = this.#url.protocol.replace('http', 'ws');
    this.#url.hash = '';
  }

  set binaryType(type) {
    this.#binaryType = type;
    if (this.#socket) this.#socket.binaryType = type;
  }

  get url() { return this.#url.href; }
  get binaryType() { return this.#binaryType; }
  get protocol() { return this.#socket?.protocol ?? ''; }
  get extensions() { return this.#socket?.extensions ?? ''; }
  get bufferedAmount() { return this.#queueBytes + (this.#socket?.bufferedAmount ?? 0); }
  get state() { return this.#state; }

  /** Between two sessions it is CONNECTING; CLOSED means that no other will follow. */
  get readyState() {
    if (this.#state.name === 'closed') return WebSocket.CLOSED;
    if (this.#isLeaving) return WebSocket.CLOSING;
    return this.#socket?.readyState === WebSocket.OPEN ? WebSocket.OPEN : WebSocket.CONNECTING;
  }

  /** Sends, or keeps what cannot be sent yet. What the browser has taken may still be lost with its connection. */
  send(data) {
    if (this.readyState === WebSocket.OPEN) this.#socket.send(data);
    else if (this.readyState === WebSocket.CONNECTING) this.#keep(data);
  }

  /** Ends the session, and the coming back. */
  close(code, reason) {
    if (this.readyState >= WebSocket.CLOSING) return;
    this.#socket?.close(code, reason);
    this.#isLeaving = true;
    if (!this.#socket) this.#finish({ code: code ?? 1005, reason: reason ?? '', wasClean: true, opened: false });
  }

  /** Starts a session now: leaves one that runs, cuts a wait short, opens again what was closed. */
  reconnect() {
    this.#losses = 0;
    this.#connect();
  }

  #keep(data) {
    const isBytes = data instanceof Blob || data instanceof ArrayBuffer || ArrayBuffer.isView(data);
    const kept = isBytes ? new Blob([data]) : String(data); // a copy: the caller may write over its buffer
    const bytes = new Blob([kept]).size;
    if (this.#queue.length >= QUEUE_MESSAGES_MAX || this.#queueBytes + bytes > QUEUE_BYTES_MAX) {
      throw new DOMException('too much is waiting to be sent', 'QuotaExceededError');
    }
    this.#queue.push({ kept, bytes });
    this.#queueBytes += bytes;
  }

  #connect() {
    this.#socket?.close();
    const socket = new WebSocket(this.#url, this.#protocols);
    const on = (type, act) => socket.addEventListener(type, (event) => { if (socket === this.#socket) act(event); });
    on('open', () => this.#begin());
    on('message', ({ data, origin }) => this.dispatchEvent(new MessageEvent('message', { data, origin })));
    on('error', () => this.dispatchEvent(new Event('error')));
    on('close', (event) => this.#end(event));
    socket.binaryType = this.#binaryType;
    this.#socket = socket;
    this.#isLeaving = false;
    this.#openedAt = null;
    this.#enter({ name: 'connecting' }, () => {
      this.#after(CONNECT_MAX_MS, () => this.#lose());
      this.#watch();
    });
  }

  #begin() {
    this.#openedAt = performance.now();
    this.#enter({ name: 'open' }, () => this.#watch());
    // What a listener sends now goes before what was kept: it is the place to say who one is.
    this.dispatchEvent(new Event('open'));
    while (this.#queue.length > 0 && this.readyState === WebSocket.OPEN) {
      const { kept, bytes } = this.#queue.shift();
      this.#queueBytes -= bytes;
      this.#socket.send(kept);
    }
  }

  /** Without a network the connection is lost. A page that the browser only sets aside must not hold on to it. */
  #watch() {
    this.#on(window, 'offline', () => this.#isOffline() && this.#lose());
    this.#on(window, 'pagehide', ({ persisted }) => persisted && this.#lose());
  }

  /** Gives up the connection, without waiting for an answer. */
  #lose() {
    this.#socket.close();
    this.#end({ code: 1006, reason: '', wasClean: false });
  }

  #end({ code, reason, wasClean }) {
    const end = { code, reason, wasClean, opened: this.#openedAt !== null };
    this.#socket = null;
    if (!this.#isLeaving && this.#retry(end)) this.#wait(end);
    else this.#finish(end);
  }

  #finish(end) {
    this.#queue = [];
    this.#queueBytes = 0;
    this.#enter({ name: 'closed', ...end });
    this.dispatchEvent(new CloseEvent('close', end));
  }

  #wait(end) {
    if (end.opened && performance.now() - this.#openedAt >= STEADY_MS) this.#losses = 0;
    const isBusy = end.code === 1013;
    const isOffline = this.#isOffline();
    const grown = Math.min(WAIT_MIN_MS * 2 ** this.#losses, WAIT_MAX_MS);
    const least = document.hidden || isOffline ? WAIT_MAX_MS : isBusy ? PATIENCE_MS : 0;
    const wait = Math.max(grown, least) * (1 - Math.random() / 2);
    this.#losses += 1;
    this.#enter({ name: isOffline ? 'offline' : 'waiting', ...end, retryAt: Date.now() + wait }, () => {
      this.#after(wait, () => this.#connect());
      this.#on(window, 'online', () => this.#connect());
      this.#on(document, 'visibilitychange', () => document.hidden || isBusy || this.#connect());
    });
  }

  #isOffline() {
    return !navigator.onLine && !LOCAL.test(this.#url.hostname);
  }

  /** Changes the state; what the last one waited for and listened to is over. */
  #enter(state, arrange = () => {}) {
    this.#phase.abort();
    this.#phase = new AbortController();
    this.#state = Object.freeze(state);
    arrange();
    this.dispatchEvent(new CustomEvent('state', { detail: this.#state }));
  }

  #on(target, type, act) {
    target.addEventListener(type, act, { signal: this.#phase.signal });
  }

  #after(ms, act) {
    const timer = setTimeout(act, ms);
    this.#phase.signal.addEventListener('abort', () => clearTimeout(timer));
  }
}

for (const name of ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED']) {
  WsdSocket[name] = WebSocket[name];
  WsdSocket.prototype[name] = WebSocket[name];
}
