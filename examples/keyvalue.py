#!/usr/bin/env python3
# A key-value store that uses redis-cli. A client sends set KEY VALUE, get KEY or subscribe KEY.
# wsd --passenv=PATH,REDIS_URL ./examples/keyvalue.py
#
# It says `ready` once a Redis server answers; until then it says what is missing.
#
# `wsd redis-cli` would give every client all of Redis, with FLUSHALL and CONFIG. This program passes on nothing but keys
# and values: a key is one plain word under `wsd:`, a value goes to redis-cli's standard input and lasts an hour. It uses
# the Redis of $REDIS_URL, otherwise that of this machine.
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from threading import Thread

REDIS = ["redis-cli", "-u", os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")]
SUBSCRIPTIONS_MAX = 5  # each is a process
VALUE_MAX = 1000  # characters
WAIT_MAX = 5  # seconds for an answer

subscriptions = {}  # by key


def say(*words):
    try:
        sys.stdout.write(" ".join(map(str, words)) + "\n")  # in one go, as threads write too
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads any more; the signal would also come of a redis-cli that reads no value
        os._exit(0)


def redis(*words, value=""):
    """What redis-cli prints, as one line."""
    try:
        done = subprocess.run([*REDIS, *words], input=value, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              encoding="utf-8", errors="replace", timeout=WAIT_MAX)
    except subprocess.TimeoutExpired:
        return f"no answer within {WAIT_MAX} seconds"
    return " ".join(done.stdout.splitlines())


def wait_for_server():
    told = None
    while (answer := redis("PING")) != "PONG":
        if answer != told:
            say("missing server", answer)
        told = answer
        time.sleep(1)


def store(key, value):
    if len(value) > VALUE_MAX:
        return say("error a value has at most", VALUE_MAX, "characters")
    answer = redis("-x", "SETEX", f"wsd:{key}", "3600", value=value)
    if answer != "OK":
        return say("error", answer)
    say("stored", key)
    redis("-x", "PUBLISH", f"wsd:{key}", value=value)


def fetch(key):
    answer = redis("EXISTS", f"wsd:{key}")
    if answer == "1":
        say("value", key, redis("GET", f"wsd:{key}"))
    else:
        say(*["none", key] if answer == "0" else ["error", answer])


def subscribe(key):
    answer = redis("PING")
    if answer != "PONG":
        say("error", answer)
    elif key not in subscriptions and len(subscriptions) == SUBSCRIPTIONS_MAX:
        say("error there are", SUBSCRIPTIONS_MAX, "subscriptions at most")
    elif key not in subscriptions:
        subscriptions[key] = subprocess.Popen([*REDIS, "SUBSCRIBE", f"wsd:{key}"], stdin=subprocess.DEVNULL,
                                              stdout=subprocess.PIPE, encoding="utf-8", errors="replace")
        Thread(target=listen, args=[key, subscriptions[key].stdout], daemon=True).start()


def listen(key, lines):
    """Redis tells of a subscription in threes of lines: what happened, the channel, a number or the value."""
    for happened, _, value in zip(lines, lines, lines):
        say(*["subscribed", key] if happened == "subscribe\n" else ["value", key, value.rstrip("\n")])
    subscriptions.pop(key).wait()
    say("unsubscribed", key)


def obey(line):
    command, key, value = [*line.strip().split(" ", 2), "", ""][:3]
    commands = {"get": fetch, "subscribe": subscribe}
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", key):
        say("error a key is one word of up to 64 letters, digits and _ . -")
    elif command == "set":
        store(key, value)
    elif command in commands:
        commands[command](key)
    else:
        say("error there are: set KEY VALUE, get KEY, subscribe KEY")


signal.signal(signal.SIGINT, signal.SIG_DFL)  # end quietly on Ctrl-C
if not shutil.which(REDIS[0]):
    say("missing redis-cli")
    sys.exit("redis-cli is not installed")
wait_for_server()
say("ready")
for line in sys.stdin:
    obey(line)
for subscription in list(subscriptions.values()):
    subscription.terminate()
