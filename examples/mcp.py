#!/usr/bin/env python3
# An MCP server with one tool, which counts the words of a text. It needs no library.
# wsd --framing=jsonrpc --subprotocol=mcp ./examples/mcp.py
import json
import sys

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
METHODS = {
    "initialize": lambda params: {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                                  "serverInfo": {"name": "words", "version": "1.0"}},
    "ping": lambda params: {},
    "tools/list": lambda params: {"tools": [{"name": "count", "description": "Counts words", "inputSchema": TEXT}]},
    "tools/call": lambda params: {"content": [{"type": "text", "text": str(len(params["arguments"]["text"].split()))}]},
}
for request in map(json.loads, sys.stdin):
    if "id" in request:  # otherwise it is a notification, which has no response
        method = METHODS.get(request["method"])
        outcome = {"result": method(request.get("params"))} if method else {"error": {"code": -32601, "message": "no"}}
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], **outcome}), flush=True)
