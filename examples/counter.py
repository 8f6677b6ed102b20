#!/usr/bin/env python3
# Counts to ten, half a second apart; flush=True, because Python buffers output to a pipe.
# wsd --port 8080 ./examples/counter.py
import signal
import time

# End quietly, without a traceback, on Ctrl-C and when the client has left.
signal.signal(signal.SIGINT, signal.SIG_DFL)

for number in range(1, 11):
    print(number, flush=True)
    time.sleep(0.5)
