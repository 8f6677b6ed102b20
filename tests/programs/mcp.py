#!/usr/bin/env python3
# A server of MCP on standard input and output: `mcp.py legacy|modern [FLAGS]`. Its tools do what the tests need.
import json
import os
import signal
import sys
import time

ERA, FLAGS = sys.argv[1], sys.argv[2:]
META = 'io.modelcontextprotocol/'
held, listens, cancelled, seen, next_id, waiting, level, sent = {}, [], [], [], 0, {}, None, 0


def send(**message):
    global sent
    sent += 1
    sys.stdout.write(json.dumps({'jsonrpc': '2.0', **message}, ensure_ascii=False) + '\n')
    sys.stdout.flush()


def tell(method, **params):
    send(method=method, params=params)


def result(id, **value):
    send(id=id, result=value)


def text(id, value):
    result(id, content=[{'type': 'text', 'text': value if isinstance(value, str) else json.dumps(value)}])


def fail(id, code, message):
    send(id=id, error={'code': code, 'message': message})


def ask_client(id, method, params):
    global next_id
    next_id += 1
    waiting[next_id] = id
    send(id=next_id, method=method, params=params)


def call(id, params):
    name, arguments, meta = params.get('name'), params.get('arguments') or {}, params.get('_meta') or {}
    if name == 'echo':
        text(id, arguments.get('text', ''))
    elif name == 'progress':
        for done in range(arguments['count']):
            more = {'message': 'x' * arguments['size']} if 'size' in arguments else {}
            tell('notifications/progress', progressToken=meta['progressToken'], progress=done, **more)
        text(id, 'done')
    elif name == 'late_progress':
        text(id, 'done')
        tell('notifications/progress', progressToken=meta['progressToken'], progress=1)
    elif name == 'task':
        result(id, task={'taskId': 't', 'status': 'working'})
        tell('notifications/progress', progressToken=meta['progressToken'], progress=1)
    elif name == 'log':
        tell('notifications/message', level='info', data=arguments.get('text', 'hello'))
        text(id, 'logged')
    elif name == 'sample':
        ask_client(id, 'sampling/createMessage', {'messages': [], 'maxTokens': 1})
    elif name == 'ask_alone':
        text(id, f'{sent + 2} messages by then')
        ask_client(None, 'roots/list', {})
    elif name == 'tell_alone':
        text(id, f'{sent + 2} messages by then')
        tell('notifications/tools/list_changed')
    elif name == 'hold':
        held[id] = arguments.get('text', 'held')
        if 'note' in arguments:
            tell('notifications/progress', progressToken=meta['progressToken'], progress=0)
    elif name == 'release':
        for other, value in list(held.items()):
            text(other, value)
        held.clear()
        text(id, 'released')
    elif name == 'deaf':
        os.close(0)
        text(id, 'deaf')
        time.sleep(1000)
    elif name == 'exit':
        sys.exit(arguments['status'])
    elif name == 'state':
        text(id, {'cancelled': cancelled, 'seen': seen, 'pid': os.getpid(), 'level': level, 'held': len(held)})
    elif name == 'env':
        text(id, os.environ.get(arguments['name'], ''))
    elif name == 'print':
        print(arguments['text'], flush=True)
        text(id, 'printed')
    elif name == 'big':
        text(id, 'x' * arguments['size'])
    elif name == 'answer':
        send(id=arguments['id'], result={})
        text(id, 'answered')
    elif name == 'change':
        for listen in listens:
            tell('notifications/resources/updated', uri='a', _meta={META + 'subscriptionId': listen})
        text(id, 'changed')
    elif name == 'finish':
        for listen in listens:
            tell('notifications/cancelled', requestId=listen)
        listens.clear()
        text(id, 'finished')
    elif name == 'broken':
        result(id, isError=True, content=[])
    elif name == 'bad':
        fail(id, -32602, 'bad arguments')
    else:
        fail(id, -32602, 'no such tool')


def request(id, method, params):
    global level
    if method == 'tools/call':
        call(id, params)
    elif method == 'ping':
        result(id)
    elif method == 'tools/list':
        schema = {'type': 'object', 'properties': {'text': {'type': 'string', 'x-mcp-header': 'Text'}}}
        result(id, tools=[{'name': 'echo', 'inputSchema': schema}])
    elif ERA == 'legacy' and method == 'initialize':
        version = os.environ.get('MCP_NAME', '1')
        if 'counted' in FLAGS:
            version = str(os.getpid())
        if 'fails' in FLAGS:
            return fail(id, -32602, 'not today')
        result(id, protocolVersion=params['protocolVersion'], capabilities={'tools': {}, 'logging': {}},
               serverInfo={'name': 'fixture', 'version': version})
    elif ERA == 'legacy' and method == 'logging/setLevel':
        level = params['level']
        result(id)
    elif ERA == 'legacy' and method == 'resources/subscribe':
        seen.append('subscribe ' + params['uri'])
        result(id)
    elif ERA == 'modern' and method == 'server/discover':
        result(id, resultType='complete', supportedVersions=['2026-07-28'], capabilities={'tools': {}},
               serverInfo={'name': 'fixture', 'version': '1'})
    elif ERA == 'modern' and method == 'subscriptions/listen':
        listens.append(id)
        if 'early' in FLAGS:
            tell('notifications/resources/updated', uri='early', _meta={META + 'subscriptionId': id})
        tell('notifications/subscriptions/acknowledged', _meta={META + 'subscriptionId': id})
    elif 'old' in FLAGS and method == 'server/discover':
        fail(id, -32602, 'received before initialize')
    else:
        fail(id, -32601, 'no such method')


def main():
    if 'banner' in FLAGS:
        print('Welcome to the server', flush=True)
        print('{\n  "pretty": true\n}', flush=True)
    if 'long' in FLAGS:
        print('{"x":"' + 'x' * (5 << 20) + '"}', flush=True)
    if 'stubborn' in FLAGS:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
    for line in sys.stdin:
        message = json.loads(line)
        method, id, params = message.get('method'), message.get('id'), message.get('params') or {}
        if method is None:
            original = waiting.pop(id, None)
            if original is not None:
                text(original, message.get('result', message.get('error')))
            else:
                seen.append(message.get('error') or message.get('result'))
        elif id is None:
            if method == 'notifications/cancelled':
                cancelled.append(params['requestId'])
                held.pop(params['requestId'], None)
                if params['requestId'] in listens:
                    listens.remove(params['requestId'])
            else:
                seen.append(method)
        else:
            request(id, method, params)
    while 'stubborn' in FLAGS:
        time.sleep(1)


main()
