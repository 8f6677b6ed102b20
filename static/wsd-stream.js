// A session of wsd.js over an event stream and POST, for networks that let no WebSocket through (`wsd --http`). It has the
// interface of a `WebSocket` whose server has chosen `wsd.resume.1`; wsd.js loads it with `{ fallback: true }`.

/** The type of a body that is an array of texts, each of them a message. */
const TEXTS = 'application/vnd.wsd.texts+json';

/** Bytes of texts in one POST, unless a single one is longer, or the server takes less. */
const POST_BYTES_MAX = 64 << 10;

/** A text has quotation marks and a comma around it. */
const AROUND_BYTES = 3;

/** What was received is told after this time, or at once after so many bytes. */
const TELL_MS = 5_000;
const TELL_BYTES = 64 << 10;

/** The server says something every 15 seconds: a stream that is silent for so long is lost. */
const SILENT_MS = 45_000;

/** A stream that is not open after this time is withheld until its end, and the client polls: it asks for answers that end soon. */
const OPEN_MS = 5_000;

/** How long the server waits for a message before it answers a poll. Some proxies cut an answer after 30 seconds. */
const POLL_SECONDS = 20;

/** The wait before a POST that had no answer is sent again; for an acknowledgement each failure doubles it. */
const RETRY_MS = 1_000;
const RETRY_MAX_MS = 10_000;

/** An acknowledgement without an answer for so long is lost. */
const TOLD_WITHIN_MS = 10_000;

/** A client that leaves delivers what it has sent within this time, and learns within it which session it leaves. */
const LEAVE_MS = 5_000;

/** A U+FEFF belongs to the text, also in front. */
const EXACT = { ignoreBOM: true };

/** The session goes on over another connection. */
const TAKEN_OVER = 4409;

/** Whether this page polls: a stream was withheld, and a poll was answered. */
let isPollingPage = false;

/** Closes that end the session for good; without such a code it only loses its connection. */
const isFinal = (code) => code === 1000 || code >= 3000;

export class EventStream extends EventTarget {
  readyState = WebSocket.CONNECTING;
  protocol = 'wsd.resume.1';
  extensions = '';
  binaryType = 'blob';
  #url;
  #headers;
  #end = new AbortController();
  #stream = new AbortController(); // of the answer with events
  #isPolling = isPollingPage;
  #isMet = false; // whether this answer has its first event
  #wanted; // the session to return to
  #session; // this session, or until there is an answer the one to return to
  #next = 0; // the number of the next message to the server
  #queue = [];
  #isPosting = false;
  #postBytes = POST_BYTES_MAX;
  #parting = null; // the end that comes as soon as the queue is delivered
  #isUnmet = false; // whether the client left before the answer that names its session
  #isUnloading = false;
  #got = { count: 0, seen: 0, told: 0, bytes: 0, timer: null }; // `told` is what the server knows of `count`
  #pings = [];
  #isTelling = false;
  #silence = null;

  /** `headers` go with each request. */
  constructor(url, offers, headers = {}) {
    super();
    this.#url = new URL(url);
    this.#url.protocol = this.#url.protocol.replace('ws', 'http');
    this.#headers = headers;
    const [, token, got] = offers.map((offer) => offer.split('~')).find((parts) => parts.length === 3) ?? [];
    this.#wanted = this.#session = token ?? null;
    window.addEventListener('pagehide', () => this.#unload(), { signal: this.#end.signal });
    this.#run(Number(got ?? 0));
  }

  get url() { return this.#url.href; }
  get bufferedAmount() { return sizeOf(this.#queue); }

  send(data) {
    if (this.readyState !== WebSocket.OPEN) return;
    const isText = typeof data === 'string';
    if (isText && data.startsWith('\0') && data[1] !== '\0') return this.#control(JSON.parse(data.slice(1)));
    const message = isText && data.startsWith('\0') ? data.slice(1) : data;
    this.#queue.push({ message, size: new Blob([message]).size });
    this.#post();
  }

  /** Without a code the session waits for its client to come back. Before its end for good, what was sent is delivered. */
  close(code, reason = '') {
    if (this.readyState >= WebSocket.CLOSING) return;
    const wasOpen = this.readyState === WebSocket.OPEN;
    this.readyState = WebSocket.CLOSING;
    const end = { code: code ?? 1005, reason, wasClean: true };
    if (isFinal(code) && wasOpen && this.#queue.length > 0 && !this.#isUnloading) {
      this.#parting = end;
      clearTimeout(this.#silence);
      setTimeout(() => this.#part({ code: 1006, reason: '', wasClean: false }), LEAVE_MS);
      return;
    }
    if (isFinal(code)) this.#leave();
    this.#isUnmet = isFinal(code) && !wasOpen;
    queueMicrotask(() => this.#finish(end));
  }

  /** Ends the session for good. */
  #part(end) {
    if (this.readyState === WebSocket.CLOSED) return;
    this.#leave();
    this.#finish(end);
  }

  /** A page that goes away delivers nothing more. */
  #unload() {
    this.#isUnloading = true;
    if (this.#parting) this.#part(this.#parting);
  }

  async #run(got) {
    Object.assign(this.#got, { count: got, seen: got, told: got });
    const isWithheld = setTimeout(() => this.#giveUpStream(), OPEN_MS);
    for (let isLast = false; !isLast;) {
      const wasPolling = this.#isPolling;
      try {
        await this.#receive();
        isLast = !this.#isMet;
      } catch {
        // The server, the network, or `close`: the end tells. A stream that was given up is followed by a poll.
        isLast = wasPolling;
      }
      isLast ||= !this.#isPolling || this.readyState >= WebSocket.CLOSING;
    }
    clearTimeout(isWithheld);
    // What is under way to the server needs no stream.
    if (!this.#parting) this.#finish({ code: 1006, reason: '', wasClean: false });
  }

  /** Polls, unless the stream is open. */
  #giveUpStream() {
    if (this.#isPolling || this.readyState !== WebSocket.CONNECTING) return;
    this.#isPolling = true;
    this.#stream.abort();
  }

  /** Takes the events of one answer. */
  async #receive() {
    const { seen } = this.#got;
    const headers = { Accept: 'text/event-stream', 'Wsd-Got': seen };
    if (this.#session) Object.assign(headers, { 'Wsd-Session': this.#session, 'Last-Event-ID': `${this.#session}.${seen}` });
    if (this.#isPolling) headers['Wsd-Poll'] = POLL_SECONDS;
    this.#isMet = false;
    this.#stream = new AbortController();
    const response = await this.#fetch('GET', headers);
    this.#session = response.headers.get('Wsd-Session');
    if (this.#isUnmet) {
      this.#leave();
      return this.#abort();
    }
    const kind = response.headers.get('Content-Type') ?? '';
    if (!response.ok || !kind.startsWith('text/event-stream')) throw new Error(`no event stream: ${response.status}`);
    await this.#read(response.body.pipeThrough(new TextDecoderStream('utf-8', EXACT)).getReader());
  }

  #abort() {
    this.#end.abort();
    this.#stream.abort();
  }

  /** Reads events until the stream ends. */
  async #read(reader) {
    let rest = '';
    let event = {};
    for (;;) {
      const { done, value: text } = await reader.read(); // Safari cannot iterate over a stream
      if (done) return;
      this.#awaitMore();
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        const [, name, value] = line.match(/^([a-z]+): ?(.*)$/s) ?? [];
        if (line === '') {
          if (event.data) this.#take(event, event.data.join('\n'));
          event = {};
        } else if (name === 'data') (event.data ??= []).push(value);
        else if (name) event[name] = value;
      }
    }
  }

  #take({ event, kind, id }, data) {
    if (event === 'open' && this.readyState === WebSocket.OPEN) return this.#return(JSON.parse(data));
    const isAwaited = event === 'open' ? this.readyState === WebSocket.CONNECTING : this.readyState === WebSocket.OPEN;
    if (!isAwaited && !(event === 'close' && this.#parting)) return;
    this.#got.bytes += data.length;
    const number = Number(id?.split('.').pop());
    if (number >= 0) this.#got.seen = number;
    if (event === undefined) this.#text(data);
    else if (event === 'base64' && kind === 'text') this.#text(new TextDecoder('utf-8', EXACT).decode(decode(data)));
    else if (event === 'base64') this.#message(this.#bytes(decode(data)));
    else if (event === 'open') this.#open(JSON.parse(data));
    else if (event === 'gap') this.#hear({ gap: Number(data) });
    else if (event === 'close') {
      const end = JSON.parse(data);
      if (end.code !== TAKEN_OVER) this.#leave();
      this.#finish({ ...end, wasClean: true });
    }
  }

  #open(greeting) {
    this.#isMet = true;
    isPollingPage ||= this.#isPolling;
    this.#session = greeting.session;
    this.#next = greeting.got + 1;
    // A poll may return to a session of which the first answer was withheld: for the application it is new.
    const resumed = greeting.resumed && greeting.session === this.#wanted;
    if (!resumed) Object.assign(this.#got, { count: 0, seen: 0, told: 0 });
    this.readyState = WebSocket.OPEN;
    this.dispatchEvent(new Event('open'));
    this.#hear({ ...greeting, resumed, lost: !resumed && this.#wanted ? 'unknown' : undefined });
  }

  /** The next poll is answered. It may be of another session, if the server no longer has this one. */
  #return({ session, resumed }) {
    this.#isMet = true;
    if (resumed) return;
    this.#session = session;
    this.#leave();
    this.#finish({ code: 1006, reason: '', wasClean: false });
  }

  #bytes(bytes) {
    return this.binaryType === 'arraybuffer' ? bytes.buffer : new Blob([bytes]);
  }

  /** Says a text of the application, in the words of `wsd.resume.1`. */
  #text(text) {
    this.#message(text.startsWith('\0') ? `\0${text}` : text);
  }

  #message(data) {
    this.dispatchEvent(new MessageEvent('message', { data, origin: this.#url.origin }));
  }

  /** Says what the server says beside messages, in the words of `wsd.resume.1`. */
  #hear(control) {
    this.#message(`\0${JSON.stringify(control)}`);
  }

  /** Does what the client says beside messages. */
  #control({ ack, ping }) {
    if (ack !== undefined) this.#tell(ack);
    if (ping === undefined) return;
    this.#pings.push(ping);
    this.#tellNow();
  }

  /** Tells how many messages have come, in time. */
  #tell(count) {
    const got = this.#got;
    got.count = count;
    if (this.#isPolling) return; // each poll tells it
    if (got.bytes >= TELL_BYTES) this.#tellNow();
    else got.timer ??= setTimeout(() => this.#tellNow(), TELL_MS);
  }

  /** Tells how many messages have come until the server knows: it sends no more than a window without that. */
  async #tellNow() {
    const got = this.#got;
    clearTimeout(got.timer);
    Object.assign(got, { bytes: 0, timer: null });
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (let wait = RETRY_MS; this.readyState === WebSocket.OPEN && (got.told < got.count || this.#pings.length > 0);) {
      const { count } = got;
      const pings = this.#pings.length;
      const answer = this.#fetch('POST', { 'Wsd-Session': this.#session, 'Wsd-Got': count }).catch(() => null);
      const response = await Promise.race([answer, after(TOLD_WITHIN_MS)]);
      if (response?.status === 204) {
        got.told = count;
        for (const pong of this.#pings.splice(0, pings)) this.#hear({ pong });
        wait = RETRY_MS;
      } else if (response?.status === 400 || response?.status === 404) {
        this.#finish({ code: 1006, reason: '', wasClean: false });
      } else {
        await after(wait);
        wait = Math.min(2 * wait, RETRY_MAX_MS);
      }
    }
    this.#isTelling = false;
  }

  /** Posts what is waiting, one body after the other. */
  async #post() {
    if (this.#isPosting) return;
    this.#isPosting = true;
    while (this.#queue.length > 0 && this.readyState !== WebSocket.CLOSED) {
      const count = this.#nextCount();
      if (await this.#deliver(this.#queue.slice(0, count))) {
        this.#queue.splice(0, count);
        this.#next += count;
      }
    }
    this.#isPosting = false;
    if (this.#parting) this.#part(this.#parting);
  }

  /** Returns how many messages go into one body: one of bytes, or texts. */
  #nextCount() {
    const isText = ({ message }) => typeof message === 'string';
    let bytes = 0;
    const isTooMuch = ({ size }) => (bytes += size + AROUND_BYTES) > this.#postBytes;
    const count = this.#queue.findIndex((waiting) => !isText(waiting) || isTooMuch(waiting));
    return count === -1 ? this.#queue.length : Math.max(count, 1);
  }

  /** Returns whether the server has what waited. If not, it may later. */
  async #deliver(waiting) {
    const messages = waiting.map(({ message }) => message);
    const isText = typeof messages[0] === 'string';
    const body = isText ? JSON.stringify(messages) : messages[0];
    const headers = {
      'Wsd-Session': this.#session,
      'Wsd-Seq': this.#next,
      'Content-Type': isText ? TEXTS : 'application/octet-stream',
    };
    const response = await this.#fetch('POST', headers, body).catch(() => null);
    switch (response?.status) {
      case 204:
        this.#hear({ ack: Number(response.headers.get('Wsd-Ack')) });
        return true;
      case 400:
        return this.#fail(1007, 'the server cannot take this message');
      case 413:
        if (waiting.length === 1) return this.#fail(1009, 'message too big');
        this.#postBytes = (sizeOf(waiting) + AROUND_BYTES * waiting.length) / 2;
        return false;
      case 404:
      case 409:
        this.#finish({ code: 1006, reason: '', wasClean: false });
        return false;
      default: {
        const wait = Number(response?.headers.get('Retry-After')) * 1000 || RETRY_MS;
        await after(wait);
        return false;
      }
    }
  }

  /** Ends the session, since the server refuses a message of it. The stream may tell the same. */
  #fail(code, reason) {
    this.#leave();
    this.#finish({ code, reason, wasClean: true });
    return false;
  }

  /** Tells the server that nobody comes back. */
  #leave() {
    if (this.#session) this.#fetch('DELETE', { 'Wsd-Session': this.#session }).catch(() => {});
  }

  #fetch(method, headers, body) {
    const isLast = method === 'DELETE';
    const { signal } = method === 'GET' ? this.#stream : this.#end;
    return fetch(this.#url, {
      method,
      headers: { ...this.#headers, ...headers },
      body,
      cache: 'no-store',
      keepalive: isLast,
      signal: isLast ? undefined : signal,
    });
  }

  #awaitMore() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#finish({ code: 1006, reason: '', wasClean: false }), SILENT_MS);
  }

  #finish(end) {
    if (this.readyState === WebSocket.CLOSED) return;
    const isFailure = this.readyState === WebSocket.CONNECTING;
    this.readyState = WebSocket.CLOSED;
    clearTimeout(this.#silence);
    clearTimeout(this.#got.timer);
    if (this.#isUnmet) setTimeout(() => this.#abort(), LEAVE_MS);
    else this.#abort();
    if (isFailure) this.dispatchEvent(new Event('error'));
    this.dispatchEvent(new CloseEvent('close', end));
  }
}

function sizeOf(waiting) {
  return waiting.reduce((sum, { size }) => sum + size, 0);
}

function after(ms) {
  return new Promise((resolve) => { setTimeout(resolve, ms); });
}

function decode(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
