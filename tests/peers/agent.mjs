// An agent of ACP, the TypeScript SDK's over standard input and output: asks its client for permission to answer.

import { Readable, Writable } from 'node:stream';

import { agent, ndJsonStream } from '@agentclientprotocol/sdk';

console.error('an agent may log what it likes');
agent({ name: 'a test of wsd' })
  .onRequest('initialize', () => ({ protocolVersion: 1, agentCapabilities: {} }))
  .onRequest('session/new', () => ({ sessionId: 'one' }))
  .onRequest('session/prompt', async ({ params: { sessionId, prompt }, client }) => {
    const { outcome } = await client.request('session/request_permission', {
      sessionId,
      toolCall: { toolCallId: 'answer', title: 'May I answer?' },
      options: [{ optionId: 'yes', name: 'Yes', kind: 'allow_once' }],
    });
    for (const text of [outcome.optionId, ' ', prompt[0].text]) {
      const update = { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } };
      await client.notify('session/update', { sessionId, update });
    }
    return { stopReason: 'end_turn' };
  })
  .connect(ndJsonStream(Writable.toWeb(process.stdout), Readable.toWeb(process.stdin)));
