# A client of MCP, version 2 of the Python SDK. Arguments: the URL, and the plan: see sdk_steps.mjs.
import asyncio
import warnings

import mcp_types as types
from mcp import Client

from sdk_steps import callbacks, plan, run, url

warnings.simplefilter('ignore')


async def main():
    level = plan.get('level')
    async with Client(url, log_level=level, **callbacks(types)) as client:
        if level and client.protocol_version < '2026':
            await client.set_logging_level(level)
        await run(client, client.protocol_version, client.server_info.name)


asyncio.run(main())
