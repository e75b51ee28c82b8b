"""A Typer command that asks a server for something."""

import logging

import httpx
import typer

from qudag_otel import instrumented

log = logging.getLogger("shop")


@instrumented(name="place", component="shop")
def place(url: str) -> str:
    answer = httpx.get(url, trust_env=False).text
    log.warning("order placed")
    return answer


def main(url: str) -> None:
    typer.echo(place(url))


if __name__ == "__main__":
    typer.run(main)
