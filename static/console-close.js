// What a close code means, in words.

const WORDS = new Map([
  [1000, 'the program exited with status 0'],
  [1001, 'the server is stopping'],
  [1002, 'the WebSocket protocol was broken'],
  [1003, 'the server does not take this kind of message'],
  [1005, 'closed without a code'],
  [1006, 'the connection was lost'],
  [1007, 'a text message was not UTF-8'],
  [1008, 'a rule of the server was broken'],
  [1009, 'a message was too large for the server'],
  [1010, 'the server lacks an extension'],
  [1011, 'the server failed'],
  [1012, 'the server restarts'],
  [1013, 'the server is too busy: try again later'],
  [1014, 'a gateway got no good answer from the server'],
  [1015, 'the TLS handshake failed'],
]);

/** The same number on every system that wsd runs on. */
const SIGNALS = new Map([
  [1, 'SIGHUP'], [2, 'SIGINT'], [3, 'SIGQUIT'], [4, 'SIGILL'], [5, 'SIGTRAP'], [6, 'SIGABRT'], [8, 'SIGFPE'],
  [9, 'SIGKILL'], [11, 'SIGSEGV'], [13, 'SIGPIPE'], [14, 'SIGALRM'], [15, 'SIGTERM'], [24, 'SIGXCPU'],
  [25, 'SIGXFSZ'], [26, 'SIGVTALRM'], [27, 'SIGPROF'], [28, 'SIGWINCH'],
]);

/** Other systems have other names for these. */
const LINUX_SIGNALS = new Map([
  [7, 'SIGBUS'], [10, 'SIGUSR1'], [12, 'SIGUSR2'], [16, 'SIGSTKFLT'], [17, 'SIGCHLD'], [18, 'SIGCONT'],
  [19, 'SIGSTOP'], [20, 'SIGTSTP'], [21, 'SIGTTIN'], [22, 'SIGTTOU'], [23, 'SIGURG'], [29, 'SIGIO'], [30, 'SIGPWR'],
  [31, 'SIGSYS'],
]);

/** By these a shell tells that it could not run a command. */
const SHELL = new Map([
  [126, ': a shell could not execute a command'],
  [127, ': a shell did not find a command'],
]);

/**
 * Says in words why a session closed; `asked` tells that this side asked for it.
 *
 * 4000 + n carries the status a shell would show: the exit status, or 128 + the signal. The reason, `exit 137` or
 * `signal 9`, tells the two apart; a code with any other reason was chosen by the program.
 */
export function closeInWords(code, reason, asked) {
  if (asked && (code === 1000 || code === 1005)) return 'you disconnected';
  if (WORDS.has(code)) return WORDS.get(code);
  if (code < 3000) return 'a code without a meaning here';
  if (code < 4000) return 'a code of a library or framework';
  const isStatus = reason === '' || /^(exit|signal) \d+$/.test(reason);
  if (!isStatus || code === 4000 || code > 4255) return 'a code of the program';

  const status = code - 4000;
  const isExit = status <= 128 || reason.startsWith('exit');
  return isExit
    ? `the program exited with status ${status}${SHELL.get(status) ?? ''}`
    : `the program was ended by ${signalInWords(status - 128)}`;
}

function signalInWords(signal) {
  if (SIGNALS.has(signal)) return `${SIGNALS.get(signal)}, signal ${signal}`;
  if (LINUX_SIGNALS.has(signal)) return `signal ${signal}, on Linux ${LINUX_SIGNALS.get(signal)}`;
  return `signal ${signal}`;
}
