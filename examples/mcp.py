#!/usr/bin/env python3
# An MCP server with one tool, which counts the words of a text. It needs no library.
# wsd --mcp ./examples/mcp.py
import json, signal, sys

INFO = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "words", "version": "1.0"}}
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
METHODS = {"initialize": lambda params: INFO, "ping": lambda params: {},
           "tools/list": lambda params: {"tools": [{"name": "count", "description": "Counts words", "inputSchema": TEXT}]},
           "tools/call": lambda params: {"content": [{"type": "text", "text": str(len(params["arguments"]["text"].split()))}]}}
signal.signal(signal.SIGINT, signal.SIG_DFL)  # end quietly on Ctrl-C
for line in sys.stdin:
    try:
        request, error = json.loads(line), {"code": -32601, "message": "unknown method"}
    except ValueError:
        request, error = {"id": None}, {"code": -32700, "message": "not JSON"}
    if "id" in request:  # otherwise it is a notification, which has no response
        method = METHODS.get(request.get("method"))
        outcome = {"result": method(request.get("params"))} if method else {"error": error}
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], **outcome}), flush=True)
