// A client of MCP, version 2 of the TypeScript SDK. Arguments: the URL, the plan, and the path of sdk_steps.mjs, which explains it.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { pathToFileURL } from 'node:url';

const { ANSWERS, CAPABILITIES, answer, log, plan, take, url } = await import(pathToFileURL(process.argv[3]));

const client = new Client({ name: 'a test of wsd', version: '1.0' }, { capabilities: CAPABILITIES, versionNegotiation: { mode: 'auto' } });
for (const method of Object.keys(ANSWERS)) client.setRequestHandler(method, answer);
client.setNotificationHandler('notifications/message', log);
const transport = new StreamableHTTPClientTransport(url);
await client.connect(transport);
const isModern = client.getNegotiatedProtocolVersion() >= '2026';
if (plan.level && !isModern) await client.setLoggingLevel(plan.level);
const { tools } = await client.listTools();
const facts = { version: client.getNegotiatedProtocolVersion(), server: client.getServerVersion().name, tools: tools.map(({ name }) => name) };
const meta = plan.level && isModern ? { _meta: { 'io.modelcontextprotocol/logLevel': plan.level } } : {};
await take(facts, (name, args, options) => client.callTool({ name, arguments: args, ...meta }, options));
await transport.terminateSession();
await client.close();
