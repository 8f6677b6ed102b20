// How the status shows numbers, times and texts.

const numbers = new Intl.NumberFormat('en');
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** 1234567 as `1,234,567`. */
export const grouped = (number) => numbers.format(number);

/** Bytes in the largest unit that keeps the number above 1. */
export function bytes(count) {
  let unit = 0;
  let shown = count;
  while (shown >= 1024 && unit < UNITS.length - 1) {
    shown /= 1024;
    unit += 1;
  }
  return `${unit > 0 && shown < 10 ? shown.toFixed(1) : Math.round(shown)} ${UNITS[unit]}`;
}

/** Seconds as `7 s`, `3 min 20 s`, `5 h 12 min` or `4 d 3 h`. */
export function age(seconds) {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/** Seconds as `2.5 ms`, `340 ms` or `1.2 s`; nothing without a time. */
export function duration(seconds) {
  if (seconds === null) return '';
  if (seconds >= 1) return seconds < 60 ? `${seconds.toFixed(1)} s` : age(seconds);
  const millis = seconds * 1000;
  return `${millis < 10 ? millis.toFixed(1) : Math.round(millis)} ms`;
}

/** Messages and bytes, as `12 · 3.4 KiB`. */
export const traffic = ({ messages, bytes: count }) => `${grouped(messages)} · ${bytes(count)}`;

/** The time of the day of milliseconds since 1970. */
export const time = (at) => clock.format(at);

/** `1 session`, `2 sessions`. */
export const counted = (number, one) => `${grouped(number)} ${one}${number === 1 ? '' : 's'}`;

/** Text without control and format characters, which would hide or reorder it. */
export const plain = (text) => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '\ufffd');
