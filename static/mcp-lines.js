// The lines to paste into clients of MCP.

/** A short name of the server at this URL: the last part of its path that is no `mcp`, or the host. */
export function nameOf({ pathname, hostname }) {
  const parts = pathname.split('/').filter((part) => part && part !== 'mcp');
  return (parts.at(-1) ?? hostname).replace(/%[\da-f]{2}|[^\w-]/gi, '-');
}

const json = (value) => JSON.stringify(value, null, 2);

/** What to paste where: `{ client, text }` for each client. With `hasAuth` they send a token, which stands there as TOKEN. */
export function linesFor(url, hasAuth) {
  const [name, href] = [nameOf(url), url.href];
  const headers = hasAuth ? { headers: { Authorization: 'Bearer TOKEN' } } : {};
  const header = hasAuth ? " --header 'Authorization: Bearer TOKEN'" : '';
  const variable = hasAuth ? ' --bearer-token-env-var TOKEN' : '';
  const ofWsd = hasAuth ? ['--header=Authorization: Bearer TOKEN'] : [];
  return [
    { client: 'Claude Code', text: `claude mcp add --transport http ${name} ${href}${header}` },
    { client: 'VS Code, in mcp.json', text: json({ servers: { [name]: { type: 'http', url: href, ...headers } } }) },
    { client: 'Codex', text: `codex mcp add ${name} --url ${href}${variable}` },
    { client: 'Gemini CLI', text: `gemini mcp add --transport http${header} ${name} ${href}` },
    { client: 'Cursor, and others with mcpServers', text: json({ mcpServers: { [name]: { url: href, ...headers } } }) },
    {
      client: 'Claude Desktop, and others that only start programs',
      text: json({ mcpServers: { [name]: { command: 'wsd', args: ['connect', '--mcp', ...ofWsd, href] } } }),
    },
    { client: 'The Inspector', text: `npx @modelcontextprotocol/inspector --cli ${href} --method tools/list${header}` },
  ];
}
