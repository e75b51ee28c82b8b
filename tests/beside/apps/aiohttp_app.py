"""aiohttp as a server and as a client, to itself."""

import logging
import sys

from aiohttp import ClientSession, web

from qudag_otel import instrumented

log = logging.getLogger("shop")


@instrumented(name="place", component="shop")
async def place(base: str) -> str:
    async with ClientSession() as session, session.get(f"{base}/inner") as answer:
        text = await answer.text()
    log.warning("order placed")
    return text


async def outer(request: web.Request) -> web.Response:
    return web.Response(text=await place(f"http://{request.host}"))


async def inner(_: web.Request) -> web.Response:
    return web.Response(text="done")


app = web.Application()
app.add_routes([web.get("/", outer), web.get("/inner", inner)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
