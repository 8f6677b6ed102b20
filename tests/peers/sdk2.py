# A client of MCP, version 2 of the Python SDK. Arguments: the URL, and the plan: see sdk_steps.mjs.
import asyncio
import json
import sys
import warnings

import mcp_types as types
from mcp import Client

warnings.simplefilter('ignore')
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


async def take(client, step):
    progress, has_begun = [], asyncio.Event()

    async def tell(done, total, message):
        progress.append(int(done))
        has_begun.set()

    arguments = {name: LARGE if value == 'LARGE' else value for name, value in step['arguments'].items()}
    call = asyncio.ensure_future(client.call_tool(step['tool'], arguments, progress_callback=tell))
    if step.get('cancels'):
        await has_begun.wait()
        call.cancel()
        return {'cancelled': True, 'progress': progress}
    result = await call
    while step.get('logs') and not any(step['logs'] in line for line in logs):
        has_logged.clear()
        await has_logged.wait()
    text = ''.join(content.text for content in result.content).replace(LARGE, 'LARGE')
    return {'text': text, 'progress': progress} | ({'isError': True} if result.is_error else {})


async def main():
    level = plan.get('level')
    callbacks = {'sampling_callback': sample, 'elicitation_callback': elicit, 'list_roots_callback': roots, 'logging_callback': log}
    async with Client(url, log_level=level, **callbacks) as client:
        if level and client.protocol_version < '2026':
            await client.set_logging_level(level)
        tools = [tool.name for tool in (await client.list_tools()).tools]
        results = {step['label']: await take(client, step) for step in plan['steps']}
        facts = {'version': client.protocol_version, 'server': client.server_info.name, 'tools': tools}
        print(json.dumps({**facts, 'results': results, 'asked': asked, 'logs': logs}))


asyncio.run(main())
