"""Flask, and requests to itself."""

import logging

import requests
from flask import Flask, request

from qudag_otel import instrumented

app = Flask(__name__)
log = logging.getLogger("shop")


@instrumented(name="place", component="shop")
def place(base: str) -> str:
    answer = requests.get(f"{base}inner", timeout=10).text
    log.warning("order placed")
    return answer


@app.get("/")
def outer() -> str:
    return place(request.host_url)


@app.get("/inner")
def inner() -> str:
    return "done"
