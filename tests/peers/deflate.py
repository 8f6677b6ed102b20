"""A client or a server of WebSockets, the library websockets, with compression.

It sends each message and waits for it to come back. Arguments: `client`, the URL, the parameters in JSON; or `server`, the
parameters. Prints a line of JSON.
"""

import asyncio
import json
import random
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory


def messages():
    for number in range(100):
        yield f"short {number}"
        yield json.dumps({"jsonrpc": "2.0", "method": "progress", "params": {"progress": number, "total": 100}})
    for size in (1, 125, 126, 1000, 65535, 65536, 300000):
        yield ("äöü " * size)[:size]
        yield "".join(random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=size))
    # Fragments.
    yield ["one ", "message " * 100, "", "in parts"]


async def client(url, parameters):
    extensions = [ClientPerMessageDeflateFactory(**parameters)]
    count = 0
    async with connect(url, compression=None, extensions=extensions, proxy=None) as socket:
        for message in messages():
            await socket.send(message)
            assert await socket.recv() == "".join(message), count
            count += 1
        agreed = [str(extension) for extension in socket.protocol.extensions]
    print(json.dumps({"code": socket.close_code, "count": count, "of": count, "extensions": agreed}))


async def server(parameters):
    ended = asyncio.Event()

    async def echo(socket):
        async for message in socket:
            await socket.send(message)
        ended.set()

    extensions = [ServerPerMessageDeflateFactory(**parameters)]
    async with serve(echo, "127.0.0.1", 0, compression=None, extensions=extensions) as listener:
        print(json.dumps({"port": listener.sockets[0].getsockname()[1]}), flush=True)
        await ended.wait()


role, *words = sys.argv[1:]
if role == "client":
    asyncio.run(client(words[0], json.loads(words[1])))
else:
    asyncio.run(server(json.loads(words[0])))
