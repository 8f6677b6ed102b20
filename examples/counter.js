#!/usr/bin/env node
// Counts to ten, half a second apart; console.log writes to a pipe at once, so it needs no flush.
// wsd --port 8080 ./examples/counter.js
const { setTimeout: sleep } = require('node:timers/promises');

async function count() {
  for (let number = 1; number <= 10; number += 1) {
    console.log(number);
    await sleep(500);
  }
}

count();
