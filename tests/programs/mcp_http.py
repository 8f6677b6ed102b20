#!/usr/bin/env python3
"""A server of MCP over Streamable HTTP, for tests of `wsd connect --mcp`: `mcp_http.py legacy` or `mcp_http.py modern`.

It prints its port, and then a line of JSON for each request, and for each answer that the client closes. Tools are deeds: see `tool`.
"""
import functools
import json
import select
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

dump = functools.partial(json.dumps, separators=(",", ":"), ensure_ascii=False)
ERA = sys.argv[1]
OPTIONS = sys.argv[2:]
LOCK = threading.Condition()
SESSIONS, STREAMS, ANSWERS, PUSHED = set(), set(), {}, []


def told(**fact):
    with LOCK:
        print(dump(fact), flush=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def told(self, body=None):
        names = ("mcp-", "last-event-id", "accept", "authorization", "host", "origin")
        headers = {name.lower(): value for name, value in self.headers.items() if name.lower().startswith(names)}
        told(method=self.command, path=self.path, port=self.client_address[1], headers=headers, body=body)

    def answer(self, status, body=b"", kind="application/json", **headers):
        body = body if isinstance(body, bytes) else dump(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if body:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def begin(self):
        self.send_response(200)
        self.send_header("Content-Type", "Text/Event-Stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def event(self, message, number=None, more=""):
        text = more + (f"id: {number}\n" if number is not None else "")
        text += "data: " + (dump(message) if message is not None else "") + "\n\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text.encode()), text.encode()))
        self.wfile.flush()

    def end(self):
        self.wfile.write(b"0\r\n\r\n")

    def stay(self):
        """Waits until the client closes, and tells that."""
        select.select([self.connection], [], [])
        told(closed=self.path)
        self.close_connection = True

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.told(body)
        method = body.get("method")
        session = self.headers.get("Mcp-Session-Id")
        if method == "server/discover" and ERA == "legacy":
            return self.answer(400, b"what is that?", "text/plain")
        if ERA == "legacy" and method != "initialize":
            if session not in SESSIONS:
                if "strange" in OPTIONS:
                    error = {"code": -32000, "message": "Bad Request: No valid session ID provided"}
                    return self.answer(400, {"jsonrpc": "2.0", "id": None, "error": error})
                return self.answer(404, {"jsonrpc": "2.0", "id": None, "error": {"code": -32001, "message": "Session not found"}})
        if method is None:
            with LOCK:
                ANSWERS[body["id"]] = body
                LOCK.notify_all()
            return self.answer(202)
        if "id" not in body:
            return self.answer(202)
        result = self.result(method, body)
        if result is not None:
            headers = {}
            if method == "initialize" and "sessionless" not in OPTIONS:
                session = f"session-{len(SESSIONS)}"
                SESSIONS.add(session)
                headers["Mcp_Session_Id"] = session
            elif method == "initialize":
                SESSIONS.add(None)
            self.answer(200, {"jsonrpc": "2.0", "id": body["id"], "result": result}, **headers)

    def result(self, method, body):
        params = body.get("params", {})
        if method == "initialize":
            return {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "test", "version": "1"}}
        if method == "tools/list":
            schema = {"type": "object", "properties": {"where": {"type": "string", "x-mcp-header": "Where"}}}
            return {"tools": [{"name": "echo", "inputSchema": schema}]}
        if method == "subscriptions/listen":
            self.begin()
            meta = {"_meta": {"io.modelcontextprotocol/subscriptionId": body["id"]}}
            self.event({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": meta})
            return self.stay()
        if method == "tools/call":
            return self.tool(params["name"], params.get("arguments", {}), body)
        return {}

    def tool(self, name, arguments, body):
        response = {"jsonrpc": "2.0", "id": body["id"], "result": {"done": name}}
        note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": name}}
        if name == "echo":
            return {"echo": arguments}
        if name == "stream":
            self.begin()
            self.event(note, 1)
            self.event(response, 2)
            self.end()
        elif name == "cut":
            # The stream ends before the answer, which is for those who return.
            self.begin()
            self.event(None, "cut/0", "retry: 10\n")
            self.event(note, "cut/1")
            ANSWERS["cut"] = response
            self.end()
        elif name == "short":
            self.begin()
            self.event(note)
            self.end()
        elif name == "ask":
            self.begin()
            self.event({"jsonrpc": "2.0", "id": "q", "method": "sampling/createMessage", "params": {}})
            with LOCK:
                LOCK.wait_for(lambda: "q" in ANSWERS)
            self.event({**response, "result": ANSWERS["q"]["result"]})
            self.end()
        elif name == "slow":
            self.begin()
            self.event(note)
            self.stay()
        elif name == "silent":
            self.stay()
        elif name == "forget":
            SESSIONS.clear()
            SESSIONS.update({f"lost-{number}" for number in range(10)})
            if "ending" in OPTIONS:
                # The stream ends, and its reader is the first who learns of the loss.
                with LOCK:
                    PUSHED.append(note)
                    LOCK.notify_all()
            return {"done": name}
        elif name == "push":
            with LOCK:
                PUSHED.append(note)
                LOCK.notify_all()
            return {"done": name}
        elif name == "error":
            self.answer(arguments["status"], arguments["text"].encode(), arguments.get("kind", "text/plain"))
        elif name == "taken":
            self.answer(202)
        elif name == "batch":
            self.answer(200, [note, response])
        elif name == "large":
            return {"text": "x" * arguments["bytes"]}
        return None

    def do_GET(self):
        self.told()
        last = self.headers.get("Last-Event-ID")
        if ERA == "modern" or "streamless" in OPTIONS and last is None:
            return self.answer(405, Allow="POST")
        if self.headers.get("Mcp-Session-Id") not in SESSIONS:
            return self.answer(404, b"no such session", "text/plain")
        self.begin()
        if last is not None and last.startswith("cut/"):
            self.event(ANSWERS["cut"], "cut/2")
            return self.end()
        number = int(last or 0)
        while True:
            with LOCK:
                LOCK.wait_for(lambda: len(PUSHED) > number or self.headers.get("Mcp-Session-Id") not in SESSIONS)
                if len(PUSHED) <= number:
                    return self.end()
                note = PUSHED[number]
            number += 1
            self.event(note, number, "retry: 10\n")
            if "ending" in OPTIONS:
                return self.end()

    def do_DELETE(self):
        self.told()
        SESSIONS.discard(self.headers.get("Mcp-Session-Id"))
        self.answer(200)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
