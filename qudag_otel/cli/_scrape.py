"""Reading /metrics: an endpoint's samples as data, or the reason why there are none."""

from __future__ import annotations

import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING, Final, TypeAlias

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_SECONDS: Final = 3.0
MAX_BYTES: Final = 64 * 1024 * 1024
"""A longer answer is not read to its end."""

_CLASSIC: Final = "text/plain; version=0.0.4"

Labels: TypeAlias = frozenset[tuple[str, str]]
Samples: TypeAlias = "Mapping[str, Mapping[Labels, float]]"


class EndpointError(ValueError):
    """A URL that cannot be an endpoint; the message says why."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an endpoint said at one time.

    Args:
        url: The endpoint.
        taken: When, on the monotonic clock, in seconds.
        samples: Value by sample name and labels.
        problem: Why there are none; empty if there are.
    """

    url: str
    taken: float
    samples: Samples = field(default_factory=dict[str, dict[Labels, float]])
    problem: str = ""


def endpoint(text: str) -> str:
    """The full URL of an endpoint that may be given as port, host:port or URL.

    Raises:
        EndpointError: If it is none.
    """
    url = f"127.0.0.1:{text.lstrip(':')}" if text.lstrip(":").isdigit() else text
    url = url if "://" in url else f"http://{url}"
    try:
        parts = urllib.parse.urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError as error:
        raise EndpointError(f"{text!r} is no URL: {error}") from error
    if not usable:
        raise EndpointError(f"{text!r} is no http URL; give for example 127.0.0.1:9464")
    return parts._replace(path=parts.path or "/metrics").geturl()


def scrape(url: str) -> Snapshot:
    """Read an endpoint; whatever goes wrong is told in `problem`."""
    request = urllib.request.Request(url, headers={"Accept": _CLASSIC})  # noqa: S310  # `endpoint` checked it
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  # see above
            text = answer.read(MAX_BYTES).decode()
        return Snapshot(url, time.monotonic(), parse(text))
    except urllib.error.HTTPError as error:
        problem = f"answers {error.code} {error.reason}"
        error.close()
    except urllib.error.URLError as error:
        problem = f"unreachable: {error.reason}"
    except (OSError, HTTPException) as error:
        problem = f"unreachable: {error}"
    except ValueError as error:
        problem = f"no Prometheus text: {error}"
    return Snapshot(url, time.monotonic(), problem=problem)


def parse(text: str) -> Samples:
    """The samples of an exposition in Prometheus' text format.

    Raises:
        ValueError: If it is not in that format.
    """
    samples: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = frozenset(sample.labels.items())
            samples.setdefault(sample.name, {})[labels] = float(sample.value)
    return samples
