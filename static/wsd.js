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

/** The least wait after a token could not be got, which each further failure doubles up to the second number. */
const TOKEN_WAIT_MIN_MS = 20_000;
const TOKEN_WAIT_MAX_MS = 600_000;

/** The end of a session whose token has expired, and of tries with a token that the server does not know. */
const UNAUTHORIZED = 3000;

/** After a session of this length the next wait is the first one again; a shorter one counts as a failed try. */
const STEADY_MS = 10_000;

/** A try that takes longer has failed: a lost network does not answer at all. */
const CONNECT_MAX_MS = 20_000;

/** What may wait to be sent. Beyond it `send` throws a `QuotaExceededError`: nothing is dropped in silence. */
const QUEUE_MESSAGES_MAX = 10_000;
const QUEUE_BYTES_MAX = 1 << 20;

/** The subprotocol of sessions that can be found again (`wsd --resume`). */
const RESUME = 'wsd.resume.1';

/** What was received is acknowledged after this time, or at once after so many messages or bytes. */
const ACK_MS = 1_000;
const ACK_MESSAGES = 256;
const ACK_BYTES = 64 << 10;

/** A connection is dead if what was sent is not acknowledged, or a ping after a time out of sight has no answer. */
const ACKED_WITHIN_MS = 20_000;
const HIDDEN_MS = 30_000;
const PONG_WITHIN_MS = 5_000;

/** After so many tries in a row that no answer ended, a network lets no WebSocket through; and after this time one has failed. */
const BLOCKED_TRIES = 2;
const BLOCKED_MS = 5_000;

/** A connection that can be found again begins with a message of the server: else something swallows messages. */
const FIRST_MESSAGE_MS = 5_000;

/** How long a page remembers that event streams got through where WebSockets did not. */
const DETOUR_MS = 600_000;

/** The session goes on in another tab, which has a copy of the token. */
const TAKEN_OVER = 4409;

/** The subprotocol in which a token travels (`wsd --auth`): a browser sends no header with a WebSocket. */
const CARRIER = 'base64url.bearer.authorization.wsd';

/** The offers of subprotocols that carry `token`. The server chooses the first of them, if it chooses no other. */
export function tokenOffers(token) {
  const base64 = btoa(String.fromCharCode(...new TextEncoder().encode(token)));
  return [CARRIER, `${CARRIER}.${base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`];
}

/** Servers on this machine, which need no network. */
const LOCAL = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/;

/** The server ends a session in which nobody says anything: another would not be used either. */
const IDLE = 4408;

/** Ends that may pass: the server goes away, is lost, fails or is busy, or its program ended with an error. */
const mayPass = ({ code }) => code === 1001 || code === 1006 || (code >= 1011 && code <= 1014) || (code >= 4000 && code !== IDLE);

export class WsdSocket extends EventTarget {
  #url;
  #protocols;
  #retry;
  #token;
  #shown = null; // the token of this try
  #failedTokens = 0; // how often in a row there was none
  #binaryType = 'blob';
  #socket = null;
  #state = null;
  #phase = new AbortController(); // the timer and the listeners of this state
  #isLeaving = false;
  #openedAt = null;
  #losses = 0;
  #queue = [];
  #queueBytes = 0;
  #session = null;
  #isPlain = false; // whether this try is without the offer to come back
  #isAnswered = false; // whether there was an answer to this try
  #detour = null;
  #isOnDetour = false; // whether this connection is an event stream

  /**
   * `retry` tells, from the `code`, the `reason` and more of an end, whether another session shall follow. With `resume` a
   * lost connection is followed by the same session, without a question to `retry`; with 'tab' also when the page is loaded
   * again. With `fallback`, which has `resume`, sessions go over event streams where no WebSocket gets through. `token` is one
   * for a server with `--auth`, or a function that gets one for each try. One that the server does not know ends the coming back
   * with code 3000.
   */
  constructor(url, protocols = [], { retry = mayPass, fallback = false, resume = fallback, token = null } = {}) {
    super();
    for (const type of ['open', 'message', 'error', 'close', 'state', 'resume']) {
      this[`on${type}`] = null;
      this.addEventListener(type, (event) => this[`on${type}`]?.(event));
    }
    this.url = url;
    this.#protocols = [protocols].flat();
    this.#retry = retry;
    this.#token = token;
    if (resume || fallback) this.#session = new Session(resume === 'tab' ? `wsd ${this.url}` : null);
    if (fallback) this.#detour = new Detour(`wsd detour ${this.#url.host}`);
    if (this.#detour?.isRemembered) {
      this.#enter({ name: 'connecting' });
      this.#detour.loaded.then(() => this.#state.name === 'connecting' && this.#connect());
    } else this.#connect();
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
  get protocol() { return (this.#socket?.protocol ?? '').replace(/^wsd\.resume\.1\+?/, '').replace(CARRIER, ''); }
  get extensions() { return this.#socket?.extensions ?? ''; }
  get bufferedAmount() { return this.#queueBytes + (this.#socket?.bufferedAmount ?? 0); }
  get state() { return this.#state; }

  /** The way of this connection, or of the last one that was tried: 'websocket' or 'stream'. */
  get transport() { return this.#isOnDetour ? 'stream' : 'websocket'; }

  /** Between two sessions it is CONNECTING; CLOSED means that no other will follow. */
  get readyState() {
    if (this.#state.name === 'closed') return WebSocket.CLOSED;
    if (this.#isLeaving) return WebSocket.CLOSING;
    const isOpen = this.#state.name === 'open' && this.#socket?.readyState === WebSocket.OPEN;
    return isOpen ? WebSocket.OPEN : WebSocket.CONNECTING;
  }

  /**
   * Sends, or keeps what cannot be sent yet. What the browser has taken may still be lost with its connection, except with
   * `resume`: then it is kept until the server has it.
   */
  send(data) {
    const isOpen = this.readyState === WebSocket.OPEN;
    if (isOpen && !this.#isResumable) this.#socket.send(data);
    else if (isOpen || this.readyState === WebSocket.CONNECTING) this.#keep(data);
    if (isOpen && this.#isResumable) this.#sendKept();
  }

  /** Ends the session, and the coming back. */
  close(code, reason) {
    if (this.readyState >= WebSocket.CLOSING) return;
    // Without a code the server would take it for a lost connection.
    this.#socket?.close(code ?? (this.#isResumable ? 1000 : undefined), reason);
    this.#isLeaving = true;
    if (!this.#socket) this.#finish({ code: code ?? 1005, reason: reason ?? '', wasClean: true, opened: false });
  }

  /** Starts a session now: leaves one that runs, cuts a wait short, opens again what was closed. */
  reconnect() {
    this.#losses = 0;
    if (this.#socket && this.#session) {
      this.#socket.close(1000);
      this.#forget();
    }
    this.#connect();
  }

  /** Whether the session of this connection can be found again. */
  get #isResumable() { return this.#socket?.protocol.startsWith(RESUME) ?? false; }

  /** Until when the server keeps a session that has lost its connection; empty without one. */
  get #kept() {
    const keptUntil = this.#session?.keptUntil ?? 0;
    return keptUntil > Date.now() ? { keptUntil } : {};
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
    this.#shown = null;
    this.#isOnDetour = this.#detour?.isTaken ?? false;
    if (this.#token === null) this.#open(null);
    else this.#openWithToken();
  }

  /** Gets the token first, unless the page has ended or replaced this try by then. */
  async #openWithToken() {
    this.#socket = null;
    this.#begun();
    const phase = this.#phase;
    try {
      const token = typeof this.#token === 'function' ? await this.#token() : this.#token;
      if (phase !== this.#phase) return;
      this.#failedTokens = 0;
      this.#open(token);
    } catch (error) {
      console.warn(error);
      if (phase !== this.#phase) return;
      // `fetch` throws a TypeError without a network, or if there is no server. Any other failure may be a guess that counts.
      if (!(error instanceof TypeError)) this.#failedTokens += 1;
      this.#lose();
    }
  }

  #open(token) {
    this.#shown = token;
    const isPlain = !this.#session || this.#isPlain && !this.#isOnDetour;
    const offers = isPlain ? this.#protocols : this.#session.offers(this.#protocols);
    const socket = this.#isOnDetour
      ? new this.#detour.EventStream(this.#url, offers, token === null ? {} : { Authorization: `Bearer ${token}` })
      : new WebSocket(this.#url, token === null ? offers : [...offers, ...tokenOffers(token)]);
    const on = (type, act) => socket.addEventListener(type, (event) => { if (socket === this.#socket) act(event); });
    on('open', () => {
      this.#isAnswered = true;
      if (!this.#isResumable) this.#begin();
      else if (this.#detour && !this.#isOnDetour) this.#after(FIRST_MESSAGE_MS, () => this.#block());
    });
    on('message', ({ data, origin }) => {
      if (this.#isResumable && typeof data === 'string' && data.startsWith('\0')) {
        if (data[1] !== '\0') return this.#hear(JSON.parse(data.slice(1)));
        data = data.slice(1);
      }
      if (this.#isResumable) this.#count(data);
      this.dispatchEvent(new MessageEvent('message', { data, origin }));
    });
    on('error', () => this.dispatchEvent(new Event('error')));
    on('close', (event) => this.#end(event));
    socket.binaryType = this.#binaryType;
    this.#socket = socket;
    this.#begun();
  }

  /** A try has begun. */
  #begun() {
    this.#isLeaving = false;
    this.#openedAt = null;
    this.#isAnswered = false;
    this.#enter({ name: 'connecting', ...this.#kept }, () => {
      this.#after(this.#detour && !this.#isOnDetour ? BLOCKED_MS : CONNECT_MAX_MS, () => this.#lose());
      this.#watch();
    });
  }

  #begin() {
    this.#openedAt = performance.now();
    this.#steady();
    const isLost = !this.#isResumable && this.#session?.token;
    if (isLost) this.#forget();
    this.#enter({ name: 'open' }, () => this.#watch());
    if (isLost) this.#report({ resumed: false, lost: 'unknown', gap: 0 });
    // What a listener sends now goes before what was kept: it is the place to say who one is.
    this.dispatchEvent(new Event('open'));
    while (this.#queue.length > 0 && this.readyState === WebSocket.OPEN && !this.#isResumable) {
      this.#socket.send(this.#drop().kept);
    }
    if (this.#isResumable) this.#sendKept();
  }

  #drop() {
    const first = this.#queue.shift();
    this.#queueBytes -= first.bytes;
    return first;
  }

  /** Takes a control message of the server. */
  #hear({ session, got, resumed, lost, keep, ack, gap, pong }) {
    if (session !== undefined) this.#meet({ session, got, resumed, lost, keep });
    if (ack !== undefined) this.#acknowledged(ack);
    if (gap !== undefined) {
      this.#session.count(gap);
      this.#report({ resumed: true, gap });
    }
    if (pong !== undefined) this.#session.isAlive = true;
  }

  /** Begins a session, or goes on with one: drops what the server has, and sends the rest again. */
  #meet({ session, got, resumed, lost, keep }) {
    const known = this.#session;
    if (resumed) this.#acknowledged(got);
    else this.#forget();
    known.begin(session, got, keep);
    if (!resumed) {
      this.#begin();
      if (lost) this.#report({ resumed, lost, gap: 0 });
      return;
    }
    this.#openedAt = performance.now();
    this.#steady();
    this.#enter({ name: 'open' }, () => this.#watch());
    this.#report({ resumed, gap: 0 });
    this.#sendKept();
  }

  #report(detail) {
    this.dispatchEvent(new CustomEvent('resume', { detail }));
  }

  /** The session is over. What was sent in it may have been taken; what was not goes to the next one. */
  #forget() {
    for (; this.#session?.sent > 0; this.#session.sent -= 1) this.#drop();
    this.#session?.forget();
  }

  #acknowledged(count) {
    for (let more = this.#session.acknowledged(count); more > 0 && this.#queue.length > 0; more -= 1) this.#drop();
    this.#session.stopWaiting();
    this.#await();
  }

  #sendKept() {
    const known = this.#session;
    for (; known.sent < this.#queue.length; known.sent += 1) {
      const { kept } = this.#queue[known.sent];
      this.#socket.send(typeof kept === 'string' && kept.startsWith('\0') ? `\0${kept}` : kept);
    }
    this.#await();
  }

  /** Gives up a connection over which nothing is acknowledged. */
  #await() {
    const known = this.#session;
    if (known.sent > 0) known.deadline ??= setTimeout(() => this.#state.name === 'open' && this.#lose(), ACKED_WITHIN_MS);
  }

  /** Counts a message, and acknowledges it in time. */
  #count(data) {
    const socket = this.#socket;
    this.#session.count(1, data.size ?? data.byteLength ?? data.length);
    this.#session.acknowledge((ack) => socket === this.#socket && this.#tell({ ack }));
  }

  #tell(control) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(`\0${JSON.stringify(control)}`);
  }

  /** Asks whether the server is still there. */
  #probe() {
    const known = this.#session;
    known.isAlive = false;
    this.#tell({ ping: 1 });
    this.#after(PONG_WITHIN_MS, () => known.isAlive || this.#lose());
  }

  /** A page that was out of sight, or without a network, may have lost its connection and not know. */
  #watchSight() {
    let hiddenAt = document.hidden ? performance.now() : null;
    this.#on(document, 'visibilitychange', () => {
      if (document.hidden) hiddenAt = performance.now();
      else if (performance.now() - (hiddenAt ?? performance.now()) > HIDDEN_MS) this.#probe();
      this.#session.store();
    });
    this.#on(window, 'online', () => this.#probe());
    this.#on(window, 'pagehide', () => this.#session.store());
  }

  /**
   * Without a network the connection is lost. A page that the browser only sets aside must not hold on to it. One that is
   * left for good ends its session, unless the tab may load it again.
   */
  #watch() {
    this.#on(window, 'offline', () => this.#isOffline() && this.#lose());
    this.#on(window, 'pagehide', ({ persisted }) => {
      if (persisted) this.#lose();
      else if (this.#isResumable && !this.#session.isOfTab) this.#socket.close(1000);
    });
    if (this.#isResumable) this.#watchSight();
  }

  /** Notes that a session is open. */
  #steady() {
    this.#detour?.opened(this.#isOnDetour);
    if (this.#isOnDetour) this.#isPlain = false; // not the offer was the reason
  }

  /** Gives up a WebSocket whose messages do not get through, and WebSockets with it. */
  #block() {
    this.#detour.block();
    this.#lose();
  }

  /** Gives up the connection, without waiting for an answer. */
  #lose() {
    this.#socket?.close();
    this.#end({ code: 1006, reason: '', wasClean: false });
  }

  #end({ code, reason, wasClean }) {
    const end = { code, reason, wasClean, opened: this.#openedAt !== null };
    const wasResumable = this.#isResumable;
    this.#socket = null;
    if (this.#session) {
      this.#session.pause(code === 1001);
      // A Close frame has told the end of the session, unless the server only goes away.
      if (wasResumable && wasClean && code !== 1001 && code !== 1005) this.#forget();
      const mayBePlain = !this.#isAnswered && !this.#isLeaving && !this.#isOnDetour;
      const isBlocked = !end.opened && !this.#isLeaving && !this.#isOffline() && this.#detour?.failed(this.#isOnDetour);
      if (isBlocked) return this.#connect();
      if (mayBePlain && this.#session.isStale()) {
        // Browsers give up a connection to a server that does not know the offer: the next try is without it.
        this.#isPlain = !this.#isPlain;
        if (this.#isPlain) return this.#connect();
      }
    }
    const isOver = this.#isLeaving || (wasResumable && code === TAKEN_OVER);
    if (!isOver && (this.#kept.keptUntil || this.#retry(end))) this.#wait(end);
    else this.#finish(end);
  }

  #finish(end) {
    this.#forget();
    this.#queue = [];
    this.#queueBytes = 0;
    this.#enter({ name: 'closed', ...end });
    this.dispatchEvent(new CloseEvent('close', end));
  }

  #wait(end) {
    if (end.opened && performance.now() - this.#openedAt >= STEADY_MS) this.#losses = 0;
    const isWithoutToken = this.#failedTokens > 0;
    const isBusy = end.code === 1013 || isWithoutToken;
    const isOffline = this.#isOffline();
    const grown = Math.min(WAIT_MIN_MS * 2 ** this.#losses, WAIT_MAX_MS);
    const patience = isWithoutToken ? Math.min(TOKEN_WAIT_MIN_MS * 2 ** (this.#failedTokens - 1), TOKEN_WAIT_MAX_MS) : PATIENCE_MS;
    const least = Math.max(document.hidden || isOffline ? WAIT_MAX_MS : 0, isBusy ? patience : 0);
    const isAwaited = this.#kept.keptUntil && this.#losses === 0 && !isOffline;
    const wait = isAwaited ? 0 : Math.max(grown, least) * (1 - Math.random() / 2);
    this.#losses += 1;
    const name = isOffline ? 'offline' : 'waiting';
    this.#enter({ name, ...end, ...this.#kept, retryAt: Date.now() + wait }, () => {
      this.#after(wait, () => this.#connect());
      this.#on(window, 'online', () => this.#connect());
      this.#on(document, 'visibilitychange', () => document.hidden || isBusy || this.#connect());
    });
    if (!end.opened && this.#shown !== null) this.#askWhy(end, this.#shown);
  }

  /**
   * Asks for the status that a browser does not show of a WebSocket. Another try with a token that the server does not know would
   * be a guess, and too many of these lock out the whole address (`wsd --auth`).
   */
  async #askWhy(end, token) {
    // A ticket is used up by a try, and no guess.
    if (token.startsWith('wsd-ticket-')) return;
    const phase = this.#phase;
    const client = new URL(import.meta.url);
    const isOfServer = client.pathname.endsWith('/.wsd/client.js') && client.host === this.#url.host;
    // A request for a ticket needs the token also where pages do not (`--auth-for=ws`).
    const place = new URL(isOfServer ? `ticket?path=${encodeURIComponent(this.#url.pathname)}` : this.#url, client);
    place.protocol = place.protocol.replace('ws', 'http');
    [place.username, place.password] = ['', '']; // `fetch` takes none
    const headers = { Authorization: `Bearer ${token}` };
    const answer = await fetch(place, { method: isOfServer ? 'POST' : 'HEAD', headers, redirect: 'manual' }).catch(() => null);
    if (phase !== this.#phase) return;
    if (answer?.status === 401) return this.#finish({ ...end, code: UNAUTHORIZED, reason: 'the server does not know the token' });
    // A proxy may send no seconds, or more than a timer takes.
    const secs = Math.min(Number(answer?.headers.get('Retry-After')), 3600);
    if (answer?.status === 429 && secs > 0) this.#delay(end, secs * 1000);
  }

  /** Waits longer, for as long as the server asks for. */
  #delay(end, ms) {
    this.#enter({ name: 'waiting', ...end, ...this.#kept, retryAt: Date.now() + ms }, () => this.#after(ms, () => this.#connect()));
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

/** The client's half of `wsd.resume.1`: the token, and the counts of both directions. */
class Session {
  token = null;
  deadline = null; // the timer of an acknowledgement by the server
  isAlive = true;
  sent = 0; // what was sent over this connection and is not acknowledged
  #key;
  #acked = null; // what the server has; null in a page that was loaded again
  #got = 0;
  #due = { messages: 0, bytes: 0, timer: null };
  #keepMs = 0; // how long the server keeps the session
  #lostAt = null;
  #isDoubtful = false; // whether the server, or a proxy, said that it goes away

  /** With a key the session is kept for when the page is loaded again. */
  constructor(key) {
    this.#key = key;
    const { token = null, got = 0, keepMs = 0 } = JSON.parse((key && sessionStorage.getItem(key)) ?? '{}');
    this.token = token;
    this.#got = got;
    this.#keepMs = keepMs;
    this.#lostAt = Date.now();
  }

  /** Whether there is no session to lose, since there was none or the server has it no more. */
  isStale() {
    return !this.token || Date.now() - this.#lostAt > this.#keepMs;
  }

  /** Whether the session is kept for when the page is loaded again. */
  get isOfTab() { return this.#key !== null; }

  /** The time until which the server keeps the session; 0 if there is none, or none that is lost. */
  get keptUntil() {
    return this.token && this.#lostAt !== null && !this.#isDoubtful ? this.#lostAt + this.#keepMs : 0;
  }

  /** The subprotocols of a handshake: with the wish to come back, and for a server that does not know it. */
  offers(protocols) {
    const own = protocols.length > 0 ? [...protocols.map((name) => `${RESUME}+${name}`), ...protocols] : [RESUME];
    return this.token ? [...own, `${RESUME}~${this.token}~${this.#got}`] : own;
  }

  begin(token, acked, keep) {
    this.token = token;
    this.#acked = acked;
    this.sent = 0;
    this.#keepMs = keep * 1000;
    this.#lostAt = null;
    this.#isDoubtful = false;
    this.store();
  }

  /** Notes what the server has. Returns how much more that is than before. */
  acknowledged(count) {
    const more = count - (this.#acked ?? count);
    this.#acked = count;
    this.sent = Math.max(this.sent - more, 0);
    return more;
  }

  count(messages, bytes = 0) {
    this.#got += messages;
    this.#due.messages += messages;
    this.#due.bytes += bytes;
  }

  /** Calls `tell` with what was received, now or a little later. */
  acknowledge(tell) {
    const due = this.#due;
    const now = () => {
      this.#settle();
      this.store();
      tell(this.#got);
    };
    if (due.messages >= ACK_MESSAGES || due.bytes >= ACK_BYTES) now();
    else due.timer ??= setTimeout(now, ACK_MS);
  }

  /** The connection is lost. The session may be lost with it. */
  pause(isDoubtful = false) {
    this.#isDoubtful ||= isDoubtful;
    this.#settle();
    this.stopWaiting();
    this.#lostAt ??= Date.now();
  }

  stopWaiting() {
    clearTimeout(this.deadline);
    this.deadline = null;
  }

  forget() {
    this.pause();
    [this.token, this.#got, this.#acked, this.sent] = [null, 0, null, 0];
    if (this.#key) sessionStorage.removeItem(this.#key);
  }

  store() {
    if (this.#key && this.token) sessionStorage.setItem(this.#key, JSON.stringify({ token: this.token, got: this.#got, keepMs: this.#keepMs }));
  }

  #settle() {
    clearTimeout(this.#due.timer);
    this.#due = { messages: 0, bytes: 0, timer: null };
  }
}

/** The way around a network that lets no WebSocket through: event streams and POST (`wsd --http`). */
class Detour {
  EventStream = null;
  loaded; // resolves once there is one, or none
  #key;
  #failures = 0;
  #until;

  constructor(key) {
    this.#key = key;
    this.#until = Number(sessionStorage.getItem(key));
    this.loaded = import('./wsd-stream.js').then(({ EventStream }) => { this.EventStream = EventStream; }, () => {});
    // Another network may let WebSockets through.
    window.addEventListener('online', () => this.#remember(0));
  }

  get isRemembered() { return Date.now() < this.#until; }

  get isTaken() {
    return this.EventStream !== null && (this.isRemembered || this.#failures >= BLOCKED_TRIES);
  }

  /** Notes a try that was never open. Returns whether the next one goes the other way, at once. */
  failed(wasOnDetour) {
    if (wasOnDetour) {
      // The way is not the reason: the next try is a WebSocket, and the one after it an event stream.
      this.#remember(0);
      this.#failures = BLOCKED_TRIES - 1;
      return false;
    }
    this.#failures += 1;
    return this.isTaken;
  }

  opened(isOnDetour) {
    this.#failures = 0;
    if (isOnDetour && !this.isRemembered) this.#remember(Date.now() + DETOUR_MS);
  }

  /** Notes that no message gets through a WebSocket. */
  block() {
    this.#failures = BLOCKED_TRIES;
  }

  #remember(until) {
    this.#until = until;
    sessionStorage.setItem(this.#key, until);
  }
}

for (const name of ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED']) {
  WsdSocket[name] = WebSocket[name];
  WsdSocket.prototype[name] = WebSocket[name];
}
