"""`qudag-otel node`: a real QuDAG node's RPC as metrics."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qudag_otel.cli._command import CommandError, seconds, told
from qudag_otel.node.rpc import DEFAULT_PORT, Address

if TYPE_CHECKING:
    from qudag_otel.node import NodeBridge

TOKEN: Final = "RPC_AUTH_TOKEN"  # noqa: S105 - the variable's name; the node reads the same
_EPILOG: Final = f"""\
ADDRESS is HOST[:PORT] (port {DEFAULT_PORT}) or unix:PATH, with NAME= before it to choose the node's
name. A node answers 60 requests a minute over TCP and any number through its Unix socket, and
--interval must leave room for that. The token comes from --token-file or from {TOKEN}.

The OTEL_* variables apply. Without an OTLP endpoint among them, /metrics is served on
127.0.0.1:9464. Numbers that a node answers without measuring them are left out; --explain says
which, and why.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument(
        "addresses", nargs="*", type=told(Address.parse), metavar="ADDRESS",
        default=[Address.parse("127.0.0.1")], help="the nodes' RPC (127.0.0.1:9090)",
    )  # fmt: skip
    parser.add_argument(
        "--interval", type=seconds, default=15.0, metavar="SECONDS",
        help="from one poll of a node to the next (15)",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=seconds, default=5.0, metavar="SECONDS",
        help="how long one answer may take (5)",
    )  # fmt: skip
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="a file that holds the nodes' token"
    )
    parser.add_argument(
        "--explain", action="store_true",
        help="ask each node once, say what is true of its answers, and end",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Watch until SIGINT or SIGTERM; with --explain return 1 if a node did not answer."""
    from qudag_otel.node import NodeBridge

    try:
        token = _token(arguments.token_file)
        bridge = NodeBridge(
            arguments.addresses,
            token=token,
            interval_seconds=arguments.interval,
            timeout_seconds=arguments.timeout,
        )
    except (OSError, ValueError) as error:
        raise CommandError(str(error)) from error
    if arguments.explain:
        return asyncio.run(_explain(bridge))
    return _watch(bridge)


def _watch(bridge: NodeBridge) -> int:
    from qudag_otel.logs import log_to_stderr
    from qudag_otel.sdk import ConfigurationError, configure

    pushed = any(
        name.startswith("OTEL_EXPORTER_OTLP_") and "ENDPOINT" in name for name in os.environ
    )
    names = [node.name for node in bridge.nodes.values()]
    log_to_stderr(logger="qudag")
    try:
        telemetry = configure(
            service_name="qudag-node",
            node_id=names[0] if len(names) == 1 else None,
            metrics_exporter="otlp" if pushed else "prometheus",
            traces_exporter="none",
            prometheus_shared=False,
            logs_exporter="otlp" if pushed else "none",
            sigterm=False,
        )
    except ConfigurationError as error:
        raise CommandError(str(error)) from error
    with telemetry:
        where = telemetry.metrics_url or "OTLP"
        sys.stderr.write(f"watching {', '.join(map(str, bridge.nodes))}: {where}\n")
        asyncio.run(_until_signalled(bridge))
    return 0


async def _until_signalled(bridge: NodeBridge) -> None:
    task = asyncio.ensure_future(bridge.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    await asyncio.wait([task])


async def _explain(bridge: NodeBridge) -> int:
    answered = await asyncio.gather(*map(bridge.poll, bridge.nodes))
    for address, node in bridge.nodes.items():
        print(f"{node.name} ({address})")
        if node.who is None:
            print(f"  does not answer: {node.problem}")
            continue
        print(f"  {node.who.state}" + (f", peer id {node.who.peer_id}" if node.who.peer_id else ""))
        for fact, value in node.values.items():
            metric = fact.metric.prometheus_name if fact.metric else ""
            print(f"  drawn     {fact.name:<22} {value:<12g} {metric}")
        for name, why in node.left_out.items():
            print(f"  left out  {name:<22} {why}")
    return int(not all(answered))


def _token(path: Path | None) -> str:
    if path is None:
        return os.environ.get(TOKEN, "")
    token = path.read_text(encoding="utf-8").strip()
    if not token:
        raise ValueError(f"{path} is empty; write the node's token into it")
    return token
