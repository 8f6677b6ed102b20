// A client or a server of WebSockets, the library ws, with compression. It sends each message and waits for it to come back.
// Arguments: `client`, the URL, the options of permessage-deflate in JSON; or `server`, the options. Prints a line of JSON.

import { WebSocket, WebSocketServer } from 'ws';

const [role, ...words] = process.argv.slice(1);

function messages() {
  const all = [];
  for (let n = 0; n < 100; n += 1) {
    all.push(`short ${n}`, JSON.stringify({ jsonrpc: '2.0', method: 'progress', params: { progress: n, total: 100 } }));
  }
  for (const size of [1, 125, 126, 1000, 65535, 65536, 300000]) {
    all.push('äöü '.repeat(size).slice(0, size), `${Math.random()}`.repeat(size / 10).slice(0, size));
  }
  return all.filter((text) => text.length > 0);
}

if (role === 'server') {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: JSON.parse(words[0]) });
  server.on('connection', (socket) => {
    socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }));
    socket.on('close', () => server.close());
  });
  server.on('listening', () => console.log(JSON.stringify({ port: server.address().port })));
} else {
  const [url, options] = words;
  const socket = new WebSocket(url, { perMessageDeflate: JSON.parse(options) });
  const sent = messages();
  let count = 0;
  socket.on('open', () => sent.forEach((text) => socket.send(text)));
  socket.on('message', (message) => {
    if (message.toString() !== sent[count]) throw new Error(`message ${count} is another one`);
    count += 1;
    if (count === sent.length) socket.close(1000);
  });
  socket.on('close', (code) => {
    console.log(JSON.stringify({ code, count, of: sent.length, extensions: socket.extensions }));
  });
}
