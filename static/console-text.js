// How text, JSON and bytes are shown. What comes from outside becomes text nodes, never HTML.

/** What one does not see, or what would reorder what one sees. Joiners stay: scripts and emoji need them. */
const HIDDEN = /(?:(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}])+/gu;

/** In a line of text, its ends and tabs too. */
const HIDDEN_IN_LINE = /(?:(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}])+/gu;

/** These have short names. */
const NAMES = new Map([['\n', '\\n'], ['\r', '\\r'], ['\t', '\\t']]);

/** The tokens of valid JSON. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

const numbers = new Intl.NumberFormat('en');

/** 1234567 as `1,234,567`. */
export const grouped = (number) => numbers.format(number);

/** Text with control, format and bidirectional characters written out and marked, such as `\x1b` and `\u202e`. */
export function visible(text) {
  return without(HIDDEN, text);
}

/** The same with ends of lines and tabs written out too, so that it is one line. */
export function visibleLine(text) {
  return without(HIDDEN_IN_LINE, text);
}

function without(pattern, text) {
  const fragment = new DocumentFragment();
  let end = 0;
  for (const { 0: run, index } of text.matchAll(pattern)) {
    fragment.append(text.slice(end, index), marked('hidden', Array.from(run, writtenOut).join('')));
    end = index + run.length;
  }
  fragment.append(text.slice(end));
  return fragment;
}

function writtenOut(character) {
  const code = character.codePointAt(0);
  const digits = code.toString(16);
  if (NAMES.has(character)) return NAMES.get(character);
  if (code < 0x100) return `\\x${digits.padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${digits.padStart(4, '0')}` : `\\u{${digits}}`;
}

/** A `span` of this class. */
export function marked(name, ...content) {
  const span = document.createElement('span');
  span.className = name;
  span.append(...content);
  return span;
}

/** Whether text is a JSON object or array. */
export function isJson(text) {
  if (!/^\s*[{[]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * Valid JSON, laid out in lines and marked, up to about `charsMax` characters; `whole` tells whether that is all.
 *
 * It is laid out from its own tokens: a parsed value would show `1e400` as null, long numbers rounded, and only the
 * last of two equal keys.
 */
export function laidOut(json, charsMax) {
  const fragment = new DocumentFragment();
  const open = [];
  let length = 0;
  let before = '';
  const put = (node) => {
    fragment.append(node);
    length += (node.textContent ?? node).length;
  };
  const newLine = () => put(`\n${'  '.repeat(Math.min(open.length, charsMax))}`);

  for (const [token] of json.matchAll(TOKEN)) {
    if (length > charsMax) return { fragment, whole: false };
    const isEnd = token === '}' || token === ']';
    if (isEnd) open.pop();
    if (isEnd ? before !== '{' && before !== '[' : before === '{' || before === '[' || before === ',') newLine();

    if (token === '{' || token === '[') {
      put(token);
      open.push(token);
    } else if (isEnd || token === ',') {
      put(token);
    } else if (token === ':') {
      put(': ');
    } else {
      const isKey = open.at(-1) === '{' && before !== ':';
      const isString = token.startsWith('"');
      put(marked(isKey ? 'key' : isString ? 'string' : 'value', visible(token.slice(0, charsMax))));
      if (token.length > charsMax) return { fragment, whole: false };
    }
    before = token;
  }
  return { fragment, whole: true };
}

/** Bytes in hexadecimal, with a space between. */
export const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');

/** Lines of offset, `width` bytes in hexadecimal, and the same in ASCII. */
export function hexDump(bytes, width) {
  const lines = [];
  for (let offset = 0; offset < bytes.length; offset += width) {
    const part = bytes.subarray(offset, offset + width);
    const ascii = Array.from(part, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${offset.toString(16).padStart(6, '0')}  ${hexOf(part).padEnd(width * 3 - 1)}  ${ascii}`);
  }
  return lines.join('\n');
}

/** The local time of day, to the millisecond. */
export function timeOfDay(date) {
  const two = (number) => String(number).padStart(2, '0');
  const milliseconds = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${milliseconds}`;
}
