# A client of MCP, version 1 of the Python SDK. Arguments: the URL, of HTTP or a WebSocket, and the plan: see sdk_steps.mjs.
import asyncio
import json
import sys
import warnings

import mcp.types as types
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

LARGE = 'text, "quotes", \\, 😀 and \u2028\n' + '0123456789' * 100_000
url, plan = sys.argv[1], json.loads(sys.argv[2])
asked, logs, has_logged = [], [], asyncio.Event()


async def sample(context, params):
    asked.append('sampling/createMessage')
    return types.CreateMessageResult(model='none', role='assistant', content=types.TextContent(type='text', text='a sample'))


async def elicit(context, params):
    asked.append('elicitation/create')
    return types.ElicitResult(action='accept', content={'name': 'Ada'})


async def roots(context):
    asked.append('roots/list')
    return types.ListRootsResult(roots=[types.Root(uri=f'file://{plan["root"]}', name='the root')])


async def log(params):
    logs.append(str(params.data.get('msg') if isinstance(params.data, dict) else params.data))
    has_logged.set()


async def take(session, step):
    progress, has_begun = [], asyncio.Event()

    async def tell(done, total, message):
        progress.append(int(done))
        has_begun.set()

    arguments = {name: LARGE if value == 'LARGE' else value for name, value in step['arguments'].items()}
    call = asyncio.ensure_future(session.call_tool(step['tool'], arguments, progress_callback=tell))
    if step.get('cancels'):
        # This version sends no cancellation by itself, and its request ids count from 0.
        await has_begun.wait()
        call.cancel()
        params = types.CancelledNotificationParams(requestId=session._request_id - 1, reason='enough')
        await session.send_notification(types.ClientNotification(types.CancelledNotification(params=params)))
        return {'cancelled': True, 'progress': progress}
    result = await call
    while step.get('logs') and not any(step['logs'] in line for line in logs):
        has_logged.clear()
        await has_logged.wait()
    text = ''.join(content.text for content in result.content).replace(LARGE, 'LARGE')
    return {'text': text, 'progress': progress} | ({'isError': True} if result.isError else {})


async def visit(read, write, *rest):
    async with ClientSession(read, write, sampling_callback=sample, elicitation_callback=elicit, list_roots_callback=roots, logging_callback=log) as session:
        init = await session.initialize()
        if plan.get('level'):
            await session.set_logging_level(plan['level'])
        tools = [tool.name for tool in (await session.list_tools()).tools]
        results = {step['label']: await take(session, step) for step in plan['steps']}
        facts = {'version': init.protocolVersion, 'server': init.serverInfo.name, 'tools': tools}
        print(json.dumps({**facts, 'results': results, 'asked': asked, 'logs': logs}))


async def main():
    if url.startswith('ws:'):
        warnings.simplefilter('ignore')
        from mcp.client.websocket import websocket_client
        transport = websocket_client(url)
    else:
        transport = streamable_http_client(url)
    async with transport as streams:
        await visit(*streams)


asyncio.run(main())
