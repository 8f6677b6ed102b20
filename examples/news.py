#!/usr/bin/env python3
# Exchanges events: sends one as a greeting, and returns each event that it gets. An event is a line of JSON.
# wsd ./examples/news.py
import json
import signal
import sys

# End quietly on Ctrl-C.
signal.signal(signal.SIGINT, signal.SIG_DFL)


def emit(event, data):
    print(json.dumps({"event": event, "data": data}), flush=True)


emit("news", {"hello": "world"})
for line in sys.stdin:
    try:
        message = json.loads(line)
        emit("received", {"event": message["event"], "data": message["data"]})
    except (ValueError, TypeError, KeyError, RecursionError):
        emit("error", {"text": "an event is an object with `event` and `data`"})
