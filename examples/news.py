#!/usr/bin/env python3
# The classic exchange of events: greets with one, and tells back each that comes. An event is a line of JSON.
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
