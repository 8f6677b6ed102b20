#!/usr/bin/env python3
# Writes the invented log of a web shop, about a line a second; after 1,000 lines it starts a new file, as rotation does.
# ./examples/write-log.py shop.log
import os
import random
import signal
import sys
import time

EVENTS = ("INFO page served path=/ ms={}", "INFO page served path=/search ms={}", "INFO item added item={}",
          "INFO order placed order={}", "WARN payment slow ms={}0", "ERROR payment refused order={}")
WEIGHTS = (8, 6, 4, 2, 2, 1)

if len(sys.argv) != 2:
    sys.exit("usage: write-log.py FILE")
signal.signal(signal.SIGINT, signal.SIG_DFL)  # end quietly on Ctrl-C
path = sys.argv[1]
os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
while True:
    if os.path.exists(path):
        os.replace(path, f"{path}.1")
    with open(path, "a", encoding="utf-8") as log:
        for _ in range(1000):
            event = random.choices(EVENTS, WEIGHTS)[0].format(random.randrange(100, 1000))
            print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), event, file=log, flush=True)
            time.sleep(random.uniform(0.2, 1.8))
