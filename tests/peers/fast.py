# A server of MCP on standard input and output, with FastMCP: it speaks both forms of the protocol.
import asyncio
import sys

import mcp_types as types
from fastmcp import Context, FastMCP
from mcp.shared.exceptions import MCPError

server = FastMCP('fast')


# Its result has no structured content, which would be the text once more.
@server.tool(output_schema=None)
def echo(text: str) -> str:
    return text


@server.tool
async def count(steps: int, ctx: Context) -> str:
    try:
        for step in range(steps):
            await ctx.report_progress(step + 1, steps)
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        print('the count was cancelled', file=sys.stderr, flush=True)
        raise
    return 'counted'


@server.tool
async def log(text: str, ctx: Context) -> str:
    await ctx.info(text)
    return 'logged'


SCHEMA = {'type': 'object', 'properties': {'name': {'type': 'string'}}, 'required': ['name']}
MESSAGES = [types.SamplingMessage(role='user', content=types.TextContent(type='text', text='Sample.'))]


@server.tool
async def ask(ctx: Context) -> str | types.InputRequiredResult:
    """Asks the client three things: by requests in a session, by a result without one."""
    if ctx._is_modern_protocol():
        answers = ctx.input_responses
        if answers is None:
            sampling = types.CreateMessageRequestParams(messages=MESSAGES, max_tokens=10)
            form = types.ElicitRequestFormParams(message='Who?', requested_schema=SCHEMA)
            return types.InputRequiredResult(input_requests={
                'sample': types.CreateMessageRequest(params=sampling),
                'name': types.ElicitRequest(params=form),
                'roots': types.ListRootsRequest(),
            })
        sample, name, roots = answers['sample'], answers['name'], answers['roots']
    else:
        sample = await ctx.session.create_message(messages=MESSAGES, max_tokens=10, related_request_id=ctx.request_id)
        name = await ctx.session.elicit(message='Who?', requested_schema=SCHEMA, related_request_id=ctx.request_id)
        roots = await ctx.session.list_roots()
    return f'{sample.content.text}, {name.content["name"]}, {roots.roots[0].uri}'


server.run('stdio', show_banner=False)
