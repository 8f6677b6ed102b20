/** Where the server is; relative addresses are those of the page, and `http:` means `ws:`. */
export type Address = string | URL;

/** How a session ended. */
export interface End {
  /** The close code; 1006 where there was no Close frame. */
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
  /** Whether there was a session: false if the server refused, or was not reached. */
  readonly opened: boolean;
}

/** With `resume`: until when the server keeps a session that has lost its connection, as `Date.now()` counts. */
export interface Kept {
  readonly keptUntil?: number;
}

/** `waiting` and `offline` tell when the next try will be, in milliseconds as `Date.now()` counts them. */
export type State =
  | ({ readonly name: 'connecting' } & Kept)
  | { readonly name: 'open' }
  | ({ readonly name: 'waiting'; readonly retryAt: number } & End & Kept)
  | ({ readonly name: 'offline'; readonly retryAt: number } & End & Kept)
  | ({ readonly name: 'closed' } & End);

export interface Options {
  /**
   * Whether another session shall follow this end. By default after 1001, 1006, 1011 to 1014 and 4000 to 4999 except 4408 (`--idle`); 1000,
   * as other ends that would only come again, is final. Not asked while the server keeps the session (`resume`).
   */
  retry?(end: End): boolean;
  /**
   * Whether a lost connection is followed by the same session, without a loss, if the server has `--resume`; with 'tab' also
   * when the page is loaded again. A page that is left ends its session, except with 'tab'. By default false.
   */
  resume?: boolean | 'tab';
  /**
   * Whether sessions go over an event stream and POST where a network lets no WebSocket through, if the server has `--http`.
   * Where a proxy withholds an answer until its end, the client polls. Has `resume`. By default false.
   */
  fallback?: boolean;
  /**
   * A token for a server with `--auth`, or a function that gets one for each try, such as a ticket of `/.wsd/ticket`. It travels as
   * a subprotocol. A token that the server does not know closes the socket with 3000. After a function that fails otherwise than
   * by a TypeError, as `fetch` does without a network, the next try comes after 10 to 20 seconds, then up to twice the time.
   */
  token?: string | (() => string | Promise<string>);
}

/** The offers of subprotocols that carry a token, for a plain `WebSocket`. */
export function tokenOffers(token: string): [string, string];

/** What became of the session, with `resume`. */
export interface Resumed {
  /** Whether the session goes on; if not, a new one has begun. */
  readonly resumed: boolean;
  /** Why the earlier session is lost: the server does not know it, or no longer. */
  readonly lost?: 'unknown';
  /** How many messages the server no longer has. */
  readonly gap: number;
}

export interface WsdSocketEvents {
  /** A session has begun. What a listener sends now goes before what was kept. */
  open: Event;
  message: MessageEvent;
  /** A session was lost, or could not be had; what follows is in the state. */
  error: Event;
  /** The last session has ended. */
  close: CloseEvent;
  state: CustomEvent<State>;
  /** The client has returned: to its session, or in vain. */
  resume: CustomEvent<Resumed>;
}

type Handler<Type extends keyof WsdSocketEvents> = ((this: WsdSocket, event: WsdSocketEvents[Type]) => unknown) | null;

/** A WebSocket that comes back: the interface of `WebSocket`, and a new session whenever one is lost. */
export class WsdSocket extends EventTarget {
  static readonly CONNECTING: 0;
  static readonly OPEN: 1;
  static readonly CLOSING: 2;
  static readonly CLOSED: 3;
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;

  constructor(url: Address, protocols?: string | string[], options?: Options);

  /** May be set, which holds from the next session on. */
  get url(): string;
  set url(url: Address);

  binaryType: BinaryType;
  readonly protocol: string;
  readonly extensions: string;
  /** Bytes not yet handed to the network, with those kept for the next session. */
  readonly bufferedAmount: number;
  /** CONNECTING also between two sessions; CLOSED means that no other will follow. */
  readonly readyState: 0 | 1 | 2 | 3;
  readonly state: State;
  /** The way of this connection, or of the last one that was tried; `stream` only with `fallback`. */
  readonly transport: 'websocket' | 'stream';

  onopen: Handler<'open'>;
  onmessage: Handler<'message'>;
  onerror: Handler<'error'>;
  onclose: Handler<'close'>;
  onstate: Handler<'state'>;
  onresume: Handler<'resume'>;

  /**
   * Sends, or keeps up to 10,000 messages and 1 MiB until there is a session; beyond that it throws a
   * `QuotaExceededError`. What the browser has taken may still be lost with its connection, except with `resume`: then it is
   * kept, within the same bounds, until the server has it.
   */
  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void;

  /** Ends the session, and the coming back; what was kept is dropped. */
  close(code?: number, reason?: string): void;

  /** Starts a session now: leaves one that runs, cuts a wait short, opens again what was closed. */
  reconnect(): void;

  addEventListener<Type extends keyof WsdSocketEvents>(
    type: Type,
    listener: (this: WsdSocket, event: WsdSocketEvents[Type]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Type extends keyof WsdSocketEvents>(
    type: Type,
    listener: (this: WsdSocket, event: WsdSocketEvents[Type]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}
