// The paths of this server that have a program.

/** How long the server may take to tell. */
const WAIT_MS = 3_000;

/** Asks the server for them: patterns such as `/chat`, and `/tools/*` with all below; none if it does not tell. */
export async function programPaths() {
  try {
    const response = await fetch(new URL('paths.json', import.meta.url), { signal: AbortSignal.timeout(WAIT_MS) });
    return response.ok ? await response.json() : [];
  } catch {
    return [];
  }
}

/** The path itself of a pattern. */
export function pathOf(pattern) {
  return pattern.replace(/\/\*$/, '') || '/';
}

/** Whether a program answers at `path`. */
export function isProgram(patterns, path) {
  return patterns.some((pattern) => {
    const isBelow = pattern.endsWith('/*') && path.startsWith(pattern.slice(0, -1));
    return isBelow || path === pathOf(pattern);
  });
}
