#!/usr/bin/env python3
# Follows a log file through a filter: each line it is sent is the words that a line of the log must contain.
# wsd ./examples/log.py /var/log/syslog
#
# It prints one JSON object a line: {"filter": "…"} where a new filter begins, and {"line": "…"}.
import json
import signal
import subprocess
import sys
from collections import deque
from threading import Lock, Thread

KEPT = 1000  # lines that a new filter is tried on
LINE_MAX = 4096  # characters; what is longer comes in pieces

recent = deque(maxlen=KEPT)
words = []
lock = Lock()


def show(line):
    if all(word in line.casefold() for word in words):
        print(json.dumps({"line": line}), flush=True)


def follow(tail):
    while line := tail.stdout.readline(LINE_MAX):
        with lock:
            recent.append(line.rstrip("\r\n"))
            show(recent[-1])


if len(sys.argv) != 2:
    sys.exit("usage: log.py FILE")
# End quietly on Ctrl-C, and when nobody reads any more.
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)

tail = subprocess.Popen(["tail", "-n", str(KEPT), "-F", "--", sys.argv[1]], stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", errors="replace")
Thread(target=follow, args=[tail], daemon=True).start()
for line in sys.stdin:
    with lock:
        words = line.casefold().split()
        print(json.dumps({"filter": line.strip()}), flush=True)
        for line in recent:
            show(line)
tail.terminate()
