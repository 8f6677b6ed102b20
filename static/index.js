// The index page: shows the card of the Redis demo if its program starts, which it does where redis-cli is installed.

import { WsdSocket } from './wsd.js';

const socket = new WsdSocket('./keyvalue', [], { retry: () => false });
socket.onmessage = ({ data }) => {
  document.querySelector('#keyvalue').hidden = data !== 'ready';
  socket.close(1000);
};
