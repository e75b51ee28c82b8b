"""FastAPI, SQLAlchemy and httpx: one request that asks a database and this server again."""

import logging

import httpx
import sqlalchemy
from fastapi import FastAPI, Request

from qudag_otel import instrumented

app = FastAPI()
engine = sqlalchemy.create_engine("sqlite://")
log = logging.getLogger("shop")


@instrumented(name="place", component="shop")
async def place(base: str) -> str:
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("select 1"))
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{base}inner")
    log.warning("order placed")
    return answer.text


@app.get("/")
async def outer(request: Request) -> str:
    return await place(str(request.base_url))


@app.get("/inner")
async def inner() -> str:
    return "done"
