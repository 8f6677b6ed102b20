// The steps that a client of MCP takes for a test, with any of the TypeScript SDKs; the scripts of Python take the same ones.
// Arguments: the URL, and the plan: { root, level, steps: [{ label, tool, arguments, cancels, logs }] }. `root` is the client's only root. An argument LARGE stands for a text of a megabyte.
// `cancels`: the call ends by the client at its first progress. `logs`: the step ends when a message of the log with these words has come.

const LARGE = 'text, "quotes", \\, 😀 and \u2028\n' + '0123456789'.repeat(100_000);
const swell = (value) => (value === 'LARGE' ? LARGE : value);
export const url = new URL(process.argv[1]);
export const plan = JSON.parse(process.argv[2]);
const asked = [];
const logs = [];
let hasLogged = () => {};

async function logged(words) {
  while (!logs.some((line) => line.includes(words))) await new Promise((resolve) => (hasLogged = resolve));
}

// The answers to the requests of the server, by method.
export const ANSWERS = {
  'sampling/createMessage': { model: 'none', role: 'assistant', content: { type: 'text', text: 'a sample' } },
  'elicitation/create': { action: 'accept', content: { name: 'Ada' } },
  'roots/list': { roots: [{ uri: `file://${plan.root}`, name: 'the root' }] },
};
export const CAPABILITIES = { sampling: {}, elicitation: {}, roots: { listChanged: true } };

export function answer({ method }) {
  asked.push(method);
  return ANSWERS[method];
}

export function log({ params }) {
  const { data } = params;
  logs.push(String(data.msg ?? data));
  hasLogged();
}

// `call` is the SDK's: it takes the tool, its arguments and the options. Prints a line of JSON about all that has happened.
export async function take(facts, call) {
  const results = {};
  for (const { label, tool, arguments: given, cancels, logs: words } of plan.steps) {
    const progress = [];
    const abort = new AbortController();
    const onprogress = (told) => (progress.push(told.progress), cancels && abort.abort('enough'));
    const filled = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, swell(value)]));
    const outcome = await call(tool, filled, { onprogress, signal: abort.signal }).then(
      ({ content, isError }) => ({ text: content.map(({ text }) => text).join('').replaceAll(LARGE, 'LARGE'), isError: isError || undefined }),
      (error) => (abort.signal.aborted ? { cancelled: true } : { error: String(error) }),
    );
    if (words) await logged(words);
    results[label] = { ...outcome, progress };
  }
  console.log(JSON.stringify({ ...facts, results, asked, logs }));
}
