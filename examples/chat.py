#!/usr/bin/env python3
# A chat in one process: unique nicknames, a list of members, the last messages for new clients, /nick and /me.
# wsd --shared --framing=json ./examples/chat.py
#
# Each message to a client is one JSON object: welcome, join, leave, nick, message, action or error. A client sends the
# typed text. It asks for a nickname in the address: /chat?nick=Ada. With /chat?watch it only listens, and has no name.
import json
import secrets
import signal
import sys
import time
from collections import deque
from itertools import chain, count
from unicodedata import normalize
from urllib.parse import parse_qs

TEXT_MAX = 1000  # characters of a message
NAME_MAX = 20

names = {}  # by client
history = deque(maxlen=50)


def send(message, **receivers):
    print(json.dumps({"text": json.dumps(message), **receivers}), flush=True)


def tell_all(kind, **facts):
    message = {"type": kind, "time": int(time.time()), **facts}
    if kind in ("message", "action"):
        message["id"] = secrets.token_urlsafe(6)  # by which a page that comes back knows what it has shown already
        history.append(message)
    send(message)


def refuse(client, why, about="text"):
    send({"type": "error", "about": about, "text": why}, to=client)


def welcome(client, name):
    send({"type": "welcome", "you": name, "here": sorted(names.values()), "history": list(history)}, to=client)


def is_name(name):
    return 1 <= len(name) <= NAME_MAX and name.isprintable() and " " not in name


def fold(name):
    """Names that look alike are the same name."""
    return normalize("NFKC", name).casefold()


def enter(client, wanted):
    """Gives a new client the name it wants, with a number if the name is taken."""
    wanted = wanted if is_name(wanted) else "guest"
    taken = {fold(name) for name in names.values()}
    numbered = (f"{wanted[:NAME_MAX - 5]}-{number}" for number in count(2))
    name = next(name for name in chain([wanted], numbered) if fold(name) not in taken)
    tell_all("join", who=name)
    names[client] = name
    welcome(client, name)


def rename(client, name):
    if not is_name(name):
        refuse(client, f"A nickname has 1 to {NAME_MAX} characters and no spaces.", "nick")
    elif any(fold(name) == fold(other) for key, other in names.items() if key != client):
        refuse(client, f"{name} is taken.", "nick")
    elif name != names[client]:
        tell_all("nick", who=names[client], now=name)
        names[client] = name


def hear(client, text):
    command, _, rest = text.partition(" ")
    if client not in names:
        refuse(client, "You only watch.")
    elif len(text) > TEXT_MAX:
        refuse(client, f"A message has at most {TEXT_MAX} characters.")
    elif command == "/nick":
        rename(client, rest.strip())
    elif command == "/me" and rest:
        tell_all("action", who=names[client], text=rest.strip())
    elif command.startswith("/"):
        refuse(client, "There are two commands: /nick NAME and /me DOES SOMETHING.")
    elif text:
        tell_all("message", who=names[client], text=text)


def handle(event):
    client = event["client"]
    if event["event"] == "open":
        query = parse_qs(event["env"].get("QUERY_STRING", ""), keep_blank_values=True)
        if "watch" in query:
            welcome(client, None)
        else:
            enter(client, query.get("nick", [""])[0])
    elif event["event"] == "message":
        hear(client, event.get("text", "").strip())
    elif event["event"] == "close" and client in names:
        tell_all("leave", who=names.pop(client))


# End quietly on Ctrl-C, and when nobody reads any more.
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)

for line in sys.stdin.buffer:
    try:
        handle(json.loads(line))
    except Exception as error:  # whatever a line may be, it must not end the room for everybody
        print(f"skipped a line: {error!r}", file=sys.stderr, flush=True)
