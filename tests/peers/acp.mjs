// A client of ACP, the TypeScript SDK's with its WebSocket transport: opens a session and tells how a prompt is answered.
// Arguments: the URL, the prompt.

import { client } from '@agentclientprotocol/sdk';
import { createWebSocketStream } from '@agentclientprotocol/sdk/experimental/ws-client';
import { WebSocket } from 'ws';

const [url, prompt] = process.argv.slice(1);
const permissions = [];
const app = client({ name: 'a test of wsd' }).onRequest('session/request_permission', ({ params }) => {
  permissions.push(params.toolCall.title);
  return { outcome: { outcome: 'selected', optionId: params.options[0].optionId } };
});

await app.connectWith(createWebSocketStream(url, { WebSocket }), async (agent) => {
  const { protocolVersion } = await agent.request('initialize', { protocolVersion: 1, clientCapabilities: {} });
  await agent.buildSession('/').withSession(async (session) => {
    const chunks = [];
    session.prompt(prompt);
    let message = await session.nextUpdate();
    for (; message.kind === 'session_update'; message = await session.nextUpdate()) {
      chunks.push(message.update.content.text);
    }
    console.log(JSON.stringify({ protocolVersion, chunks, permissions, stopReason: message.stopReason }));
  });
});
