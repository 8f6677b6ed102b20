// A server of WebSockets, the library ws for node, with compression: it answers each message, a number, with so many lines of JSON.
// Arguments: the port, and how many lines there are before they begin again. The level and the shortest message are those of wsd.

import { WebSocketServer } from 'ws';

const [port, count] = process.argv.slice(1).map(Number);
const params = (n) => ({ token: `${n}`.padStart(8, '0'), progress: `${(n * 7919) % 1000}`.padStart(3, '0') });
const lines = Array.from({ length: count }, (_, n) => {
  const { token, progress } = params(n);
  return `{"jsonrpc":"2.0","method":"notifications/progress","params":{"token":${token},"progress":${progress},"total":1000000}}`;
});

const perMessageDeflate = { threshold: 64, clientNoContextTakeover: true, zlibDeflateOptions: { level: 1 } };
const server = new WebSocketServer({ port, host: '127.0.0.1', perMessageDeflate });
server.on('connection', (socket) => {
  socket.on('message', async (message) => {
    const asked = Number(message);
    // Not all at once: they would wait in memory.
    for (let sent = 0; sent < asked; ) {
      const end = Math.min(sent + 1000, asked);
      while (sent < end - 1) socket.send(lines[sent++ % count]);
      await new Promise((done) => socket.send(lines[sent++ % count], done));
    }
  });
});
