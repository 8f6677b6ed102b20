#!/usr/bin/env python3
# Many rooms in one process: clients of ?tea get messages from clients of ?tea only.
# wsd --shared --framing=json ./examples/rooms.py
import json
import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)  # end quietly on Ctrl-C
rooms = {}  # by client
for line in sys.stdin:
    event = json.loads(line)
    client = event["client"]
    if event["event"] == "open":
        rooms[client] = event["env"]["QUERY_STRING"]
    elif event["event"] == "close":
        del rooms[client]
    elif "text" in event:
        to = [other for other, room in rooms.items() if room == rooms[client]]
        print(json.dumps({"text": event["text"], "to": to}), flush=True)
