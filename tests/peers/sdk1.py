# A client of MCP, version 1 of the Python SDK. Arguments: the URL, of HTTP or a WebSocket, and the plan: see sdk_steps.mjs.
import asyncio
import warnings

import mcp.types as types
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from sdk_steps import callbacks, plan, run, url


async def visit(read, write, *rest):
    async with ClientSession(read, write, **callbacks(types)) as session:
        async def cancelled():
            # This version sends no cancellation by itself, and its request ids count from 0.
            params = types.CancelledNotificationParams(requestId=session._request_id - 1, reason='enough')
            await session.send_notification(types.ClientNotification(types.CancelledNotification(params=params)))

        init = await session.initialize()
        if plan.get('level'):
            await session.set_logging_level(plan['level'])
        await run(session, init.protocolVersion, init.serverInfo.name, cancelled)


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
