# The steps of both versions of the Python SDK, and the answers to the server's own questions. The plan: see sdk_steps.mjs.
import asyncio
import json
import sys

LARGE = 'text, "quotes", \\, 😀 and \u2028\n' + '0123456789' * 100_000
url, plan = sys.argv[1], json.loads(sys.argv[2])
asked, logs, has_logged = [], [], asyncio.Event()


def callbacks(types):
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

    return {'sampling_callback': sample, 'elicitation_callback': elicit, 'list_roots_callback': roots, 'logging_callback': log}


async def take(client, step, cancelled=None):
    progress, has_begun = [], asyncio.Event()

    async def tell(done, total, message):
        progress.append(int(done))
        has_begun.set()

    arguments = {name: LARGE if value == 'LARGE' else value for name, value in step['arguments'].items()}
    call = asyncio.ensure_future(client.call_tool(step['tool'], arguments, progress_callback=tell))
    if step.get('cancels'):
        await has_begun.wait()
        call.cancel()
        if cancelled:
            await cancelled()
        return {'cancelled': True, 'progress': progress}
    result = await call
    while step.get('logs') and not any(step['logs'] in line for line in logs):
        has_logged.clear()
        await has_logged.wait()
    text = ''.join(content.text for content in result.content).replace(LARGE, 'LARGE')
    is_error = getattr(result, 'is_error', None) or getattr(result, 'isError', None)
    return {'text': text, 'progress': progress} | ({'isError': True} if is_error else {})


async def run(client, version, server, cancelled=None):
    tools = [tool.name for tool in (await client.list_tools()).tools]
    results = {step['label']: await take(client, step, cancelled) for step in plan['steps']}
    facts = {'version': version, 'server': server, 'tools': tools}
    print(json.dumps({**facts, 'results': results, 'asked': asked, 'logs': logs}))
