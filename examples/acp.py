#!/usr/bin/env python3
# An ACP agent that says every prompt back, word by word. It needs no library.
# wsd --acp ./examples/acp.py
import json
import signal
import sys

UNKNOWN = {"error": {"code": -32601, "message": "unknown method"}}


def send(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def prompt(session, blocks):
    for word in " ".join(block.get("text", "") for block in blocks).split():
        chunk = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": word + " "}}
        send(method="session/update", params={"sessionId": session, "update": chunk})
    return {"stopReason": "end_turn"}


METHODS = {
    "initialize": lambda params: {"protocolVersion": 1, "agentCapabilities": {}, "authMethods": []},
    "session/new": lambda params: {"sessionId": "the-only-one"},
    "session/prompt": lambda params: prompt(params["sessionId"], params["prompt"]),
}
signal.signal(signal.SIGINT, signal.SIG_DFL)  # end quietly on Ctrl-C
for line in sys.stdin:
    try:
        request = json.loads(line)
    except ValueError:
        send(id=None, error={"code": -32700, "message": "not JSON"})
        continue
    if "id" in request:  # otherwise it is a notification, which has no response
        method = METHODS.get(request["method"])
        send(id=request["id"], **({"result": method(request["params"])} if method else UNKNOWN))
