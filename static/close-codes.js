// What the close codes of a session mean, in words.

const WORDS = new Map([
  [1000, 'the program exited with status 0'],
  [1001, 'the server is stopping'],
  [1002, 'the WebSocket protocol was broken'],
  [1005, 'closed without a code'],
  [1006, 'the connection was lost'],
  [1007, 'a text message was not UTF-8'],
  [1008, 'the server has ended the session'],
  [1009, 'a message was too large'],
  [1011, 'the server failed'],
  [1012, 'the server starts anew'],
  [1013, 'the server is busy, or this page was too slow'],
  [4409, 'the session goes on in another tab'],
]);

// Only signals whose number is the same on every system.
const SIGNALS = new Map([
  [1, 'SIGHUP'], [2, 'SIGINT'], [3, 'SIGQUIT'], [4, 'SIGILL'], [6, 'SIGABRT'], [8, 'SIGFPE'], [9, 'SIGKILL'],
  [11, 'SIGSEGV'], [13, 'SIGPIPE'], [14, 'SIGALRM'], [15, 'SIGTERM'],
]);

/**
 * Says in words why a session closed; an empty string when the code has no meaning of its own.
 *
 * 4000 + n carries the status a shell would show: the exit status, or 128 + the signal. The reason, `exit 137` or
 * `signal 9`, tells the two apart; a code with any other reason was chosen by the program, and the reason says it all.
 */
export function closeInWords(code, reason) {
  if (code < 4001 || code > 4255) return WORDS.get(code) ?? '';
  if (reason !== '' && !/^(exit|signal) \d+$/.test(reason)) return '';
  const status = code - 4000;
  if (status <= 128 || reason.startsWith('exit')) return `the program exited with status ${status}`;
  const signal = status - 128;
  return `the program was killed by ${SIGNALS.get(signal) ?? `signal ${signal}`}`;
}
