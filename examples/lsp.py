#!/usr/bin/env python3
# A language server for Python, of which a client gets nothing but diagnostics.
# wsd --framing=lsp ./examples/lsp.py
#
# `wsd --framing=lsp pylsp` is a whole language server, for clients that you trust: it runs the programs that their
# settings name, and reads the files that they name. This program hands on the text of documents, and nothing else.
import json
import os
import shutil
import signal
import subprocess
import sys
from threading import Thread

BYTES_MAX = 100_000  # of a message
PASSED = {"initialized", "shutdown", "exit", "textDocument/didOpen", "textDocument/didChange"}


def messages(stream):
    """The messages of a stream, each of which follows a header: Content-Length: BYTES, and an empty line."""
    while header := stream.readline():
        name, _, value = header.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
            if length > BYTES_MAX:
                sys.exit(f"a message has at most {BYTES_MAX} bytes")
        elif header == b"\r\n":
            try:
                yield json.loads(stream.read(length))
            except ValueError:
                error = {"code": -32700, "message": "not JSON"}
                send({"jsonrpc": "2.0", "id": None, "error": error}, sys.stdout.buffer)


def send(message, stream):
    body = json.dumps(message).encode()
    stream.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    stream.flush()


def end_with(server):
    os._exit(server.wait())  # from a thread: the other waits for the client


signal.signal(signal.SIGINT, signal.SIG_DFL)  # end quietly on Ctrl-C
if not shutil.which("pylsp"):
    print("pylsp is not installed", file=sys.stderr)
    sys.exit(127)  # as a shell says it
if os.environ.get("QUERY_STRING") == "probe":
    sys.exit()  # the index page asks only whether it is there
server = subprocess.Popen(["pylsp"], stdin=subprocess.PIPE)
Thread(target=end_with, args=[server], daemon=True).start()
for message in messages(sys.stdin.buffer):
    if message.get("method") == "initialize":
        message["params"] = {"processId": None, "rootUri": None, "capabilities": {}}
        send(message, server.stdin)
    elif message.get("method") in PASSED:
        send(message, server.stdin)
server.terminate()  # the client has left
os._exit(0)
