// A node of Socket.IO with its Redis adapter, in the place of a node of wsd with a shared program. It answers the event `flood`, a
// number, with so many events `line` to the clients of all nodes. After the event `expect`, a number, it counts the events
// `line` of all nodes' clients, and tells their end. Arguments: its port, the port of Redis, the different lines, their bytes.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { createClient } from '@redis/client';
import { createAdapter } from '@socket.io/redis-adapter';
import { Server } from 'socket.io';

const [port, redis, count, bytes] = process.argv.slice(1).map(Number);
const letters = 'abcdefghijklmnopqrstuvwxyz'.repeat(bytes / 26 + 1);
const lines = Array.from({ length: count }, (_, n) => `${`${n}`.padStart(8, '0')}-${letters}`.slice(0, bytes));

const publisher = createClient({ url: `redis://127.0.0.1:${redis}` });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);
// A ping would be one message too many for the clients here.
const http = createServer();
const io = new Server(http, { adapter: createAdapter(publisher, subscriber), transports: ['websocket'], pingInterval: 3600_000 });

let left = 0;
const take = () => {
  left -= 1;
  if (left === 0) io.emit('line', lines[1]);
};
io.on('line', () => left > 0 && take());
io.on('connection', (socket) => {
  socket.on('flood', async (asked) => {
    // Not all at once: they would wait in memory.
    for (let sent = 0; sent < asked; ) {
      const end = Math.min(sent + 100, asked);
      while (sent < end) io.emit('line', lines[sent++ % count]);
      await publisher.ping();
      if (socket.conn.writeBuffer.length > 0) await once(socket.conn, 'drain');
    }
  });
  socket.on('expect', (expected) => {
    left = expected;
    io.emit('line', lines[0]);
  });
  socket.on('line', (line) => {
    if (left > 0) take();
    else io.serverSideEmit('line', line);
  });
});

await subscriber.ping();
http.listen(port, '127.0.0.1');
