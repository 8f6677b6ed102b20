// A client of MCP, the TypeScript SDK's with its WebSocket transport: tells what a server is and has, and calls a tool.
// Arguments: the URL, how many connections, the tool, its arguments in JSON.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { WebSocketClientTransport } from '@modelcontextprotocol/sdk/client/websocket.js';
import { WebSocket } from 'ws';

globalThis.WebSocket ??= WebSocket;
const [url, connections, tool, parameters] = process.argv.slice(1);

async function visit() {
  const client = new Client({ name: 'a test of wsd', version: '1.0' });
  await client.connect(new WebSocketClientTransport(new URL(url)));
  const { tools } = await client.listTools();
  const { content } = await client.callTool({ name: tool, arguments: JSON.parse(parameters) });
  await client.close();
  console.log(JSON.stringify({
    server: client.getServerVersion().name,
    tools: tools.map(({ name }) => name),
    text: content[0].text,
  }));
}

// A few at a time: each starts a process.
for (let left = Number(connections); left > 0; left -= 5) {
  await Promise.all(Array.from({ length: Math.min(left, 5) }, visit));
}
