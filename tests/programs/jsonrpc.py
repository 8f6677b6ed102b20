#!/usr/bin/env python3
# A server of JSON-RPC: prints a banner, then answers each line with the parameters in it, and with the line itself.
import json
import sys

print('Agent 1.0\n\n  ready', flush=True)
for line in sys.stdin:
    try:
        request = json.loads(line)
        answer = {'id': request['id'], 'result': request['params'], 'line': line}
    except ValueError:
        answer = {'id': None, 'error': {'code': -32700, 'message': 'Parse error'}}
    print(json.dumps({'jsonrpc': '2.0', **answer}, ensure_ascii=False), end='\r\n', flush=True)
