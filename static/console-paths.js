// The paths of this server that have a program.

/** How long the server may take to tell. */
const WAIT_MS = 3_000;

/** Asks the server for them: patterns such as `/chat`, and `/tools/*` with all below; none if it does not tell. */
export function programPaths() {
  return told('paths.json');
}

async function told(list) {
  try {
    const response = await fetch(new URL(list, import.meta.url), { signal: AbortSignal.timeout(WAIT_MS) });
    return response.ok ? await response.json() : [];
  } catch {
    return [];
  }
}

/** Whether the server has a server of MCP. */
export async function hasMcpServer() {
  const servers = await told('mcp.json');
  return servers.length > 0;
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
