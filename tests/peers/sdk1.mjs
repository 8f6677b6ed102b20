// A client of MCP, version 1 of the TypeScript SDK. Arguments: the URL, of HTTP or a WebSocket, the plan, and the path of sdk_steps.mjs,
// which explains it.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { WebSocketClientTransport } from '@modelcontextprotocol/sdk/client/websocket.js';
import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema, LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { WebSocket } from 'ws';
import { pathToFileURL } from 'node:url';

globalThis.WebSocket ??= WebSocket;
const { CAPABILITIES, answer, log, plan, take, url } = await import(pathToFileURL(process.argv[3]));

const client = new Client({ name: 'a test of wsd', version: '1.0' }, { capabilities: CAPABILITIES });
for (const schema of [CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema]) client.setRequestHandler(schema, answer);
client.setNotificationHandler(LoggingMessageNotificationSchema, log);
const transport = url.protocol === 'ws:' ? new WebSocketClientTransport(url) : new StreamableHTTPClientTransport(url);
await client.connect(transport);
if (plan.level) await client.setLoggingLevel(plan.level);
const { tools } = await client.listTools();
const facts = { version: transport.protocolVersion, server: client.getServerVersion().name, tools: tools.map(({ name }) => name) };
await take(facts, (name, args, options) => client.callTool({ name, arguments: args }, undefined, options));
await transport.terminateSession?.();
await client.close();
