"""What workers of servers and pools record arrives, however their master ends them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.sdk.deployments import DEPLOYMENTS, REQUESTS, Deployment, run

if TYPE_CHECKING:
    from tests.sdk.receiver import Receiver

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these servers need POSIX")

# `make stress` tries all of them.
TRIED = [one for one in DEPLOYMENTS if one.short or os.environ.get("QUDAG_STRESS")]
TABLE = Path(__file__).parents[2] / "docs" / "workers.md"


def label(one: Deployment) -> str:
    """How a deployment stands in the documentation's table."""
    return f"{one.name}{', opentelemetry-instrument' if one.instrumented else ''}"


@pytest.mark.parametrize("deployment", TRIED, ids=label)
def test_workers_lose_nothing_at_their_end(
    tmp_path: Path, receiver: Receiver, deployment: Deployment
) -> None:
    """All calls are on one /metrics before it, and all spans and sums arrive after it."""
    found = run(deployment, tmp_path, receiver)
    assert (found.spans, found.measured) == (REQUESTS,) * 2, found.err
    assert found.scraped == REQUESTS or deployment.retires, found.err
    assert "qudag_otel" not in found.err, found.err


def test_every_deployment_that_is_tried_stands_in_the_documentation() -> None:
    """With nothing there that is not tried."""
    rows = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if "| all |" in line]
    assert [row.split("|")[1].strip() for row in rows] == [label(one) for one in DEPLOYMENTS]
