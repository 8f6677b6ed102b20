#!/usr/bin/env python3
# Follows a log file through a filter: a client sends the words that each line must contain.
# wsd ./examples/log.py /var/log/syslog
#
# It prints one JSON object a line: {"filter": "…"} when a new filter begins, and {"line": "…"} for each match.
import json
import os
import signal
import subprocess
import sys
from threading import Thread

LINE_MAX = 4096  # characters; what is longer comes in pieces


def follow(words):
    """Shows the last lines of the log and those to come, if they hold all words; returns how to stop it."""
    if not os.path.exists(sys.argv[1]):
        print(json.dumps({"line": f"There is no {sys.argv[1]} yet. It is followed as soon as there is."}), flush=True)
    tail = subprocess.Popen(["tail", "-n", "1000", "-F", "--", sys.argv[1]], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", errors="replace")

    def show():
        while line := tail.stdout.readline(LINE_MAX):
            if all(word in line.casefold() for word in words):
                print(json.dumps({"line": line.rstrip("\r\n")}), flush=True)

    def stop():
        tail.terminate()
        reader.join()
        tail.wait()

    reader = Thread(target=show, daemon=True)
    reader.start()
    return stop


if len(sys.argv) != 2:
    sys.exit("usage: log.py FILE")
# End quietly on Ctrl-C, and when nobody reads any more.
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)

stop = follow([])
for line in sys.stdin:
    stop()
    print(json.dumps({"filter": line.strip()}), flush=True)
    stop = follow(line.casefold().split())
stop()
