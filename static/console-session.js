// A session with the server: what is asked of it, and what becomes of it.

/** The URL that `typed` means: whole, or without its scheme, or a path of the server that this page came from. */
export function socketUrl(typed) {
  const page = new URL(location.href);
  page.protocol = page.protocol.replace('http', 'ws');
  page.hash = '';
  const text = typed.trim();
  const isWhole = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const isOfPage = text === '' || /^[/?]/.test(text);
  const url = new URL(isWhole || isOfPage ? text : `${page.protocol}//${text}`, page);
  url.protocol = url.protocol.replace('http', 'ws');
  url.hash = '';
  return url.href;
}

/** One connection, from the asking to the end. It calls `onOpen`, `onMessage` and, once, `onEnd`. */
export class Session {
  #socket;
  #openedAt = null;
  #isAsked = false;

  /** Throws if the browser refuses the URL or a subprotocol. */
  constructor(url, protocols, { onOpen, onMessage, onEnd }) {
    this.#socket = new WebSocket(url, protocols);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.addEventListener('open', () => {
      this.#openedAt = performance.now();
      onOpen();
    });
    this.#socket.addEventListener('message', ({ data }) => {
      onMessage(typeof data === 'string' ? data : new Uint8Array(data));
    });
    this.#socket.addEventListener('close', ({ code, reason, wasClean }) => {
      const seconds = this.wasOpen ? (performance.now() - this.#openedAt) / 1000 : 0;
      onEnd({ code, reason, wasClean, seconds, wasOpen: this.wasOpen, isAsked: this.#isAsked });
    });
  }

  get url() { return this.#socket.url; }
  /** The subprotocol; that of a token is none. */
  get protocol() { return this.#socket.protocol.replace(/^base64url\.bearer\..*/, ''); }
  get wasOpen() { return this.#openedAt !== null; }
  get isOpen() { return this.#socket.readyState === WebSocket.OPEN; }
  get isOver() { return this.#socket.readyState === WebSocket.CLOSED; }
  get isLeaving() { return this.#socket.readyState === WebSocket.CLOSING; }

  send(data) {
    this.#socket.send(data);
  }

  /** Asks for the end. */
  leave() {
    this.#isAsked = true;
    this.#socket.close(1000);
  }
}
