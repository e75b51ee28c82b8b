"""Reading /metrics: an endpoint's samples as data, or the reason why there are none."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from prometheus_client.parser import text_string_to_metric_families

from qudag_otel._query import http
from qudag_otel.catalogue.metrics import TELEMETRY_SHARE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TIMEOUT_SECONDS: Final = 3.0
_CLASSIC: Final = "text/plain; version=0.0.4"

Labels: TypeAlias = frozenset[tuple[str, str]]
Samples: TypeAlias = "Mapping[str, Mapping[Labels, float]]"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an endpoint said at one time.

    Args:
        url: The endpoint, without credentials.
        taken: When, on the monotonic clock, in seconds.
        samples: Value by sample name and labels.
        problem: Why there are none; empty if there are.
        kinds: What each sample's family is, as its TYPE says: "counter", "gauge", "histogram".
    """

    url: str
    taken: float
    samples: Samples = field(default_factory=dict[str, dict[Labels, float]])
    problem: str = ""
    kinds: Mapping[str, str] = field(default_factory=dict[str, str])


def price(snapshots: Iterable[Snapshot]) -> str:
    """What telemetry says that it takes of its process, the most of several; empty if none says."""
    name = TELEMETRY_SHARE.prometheus_name
    shares = [share for one in snapshots for share in one.samples.get(name, {}).values()]
    if not shares:
        return ""
    return f"telemetry: {max(shares):.1%} of {'this' if len(shares) == 1 else 'a'} process"


def endpoint(text: str) -> str:
    """The full URL of an endpoint that may be given as port, host:port or URL.

    Raises:
        UrlError: If it is none.
    """
    url = f"127.0.0.1:{text.lstrip(':')}" if text.lstrip(":").isdigit() else text
    url = url if "://" in url else f"http://{url}"
    asked = http.server(url)
    return url if "/" in asked.url.partition("://")[2] else f"{url}/metrics"


def scrape(url: str) -> Snapshot:
    """Read an endpoint; whatever goes wrong is told in `problem`."""
    asked = http.server(url)
    try:
        text = http.fetch(
            asked, headers={"Accept": _CLASSIC}, timeout=TIMEOUT_SECONDS, redirects=True
        )
        samples, kinds = parse(text.decode())
        return Snapshot(asked.url, time.monotonic(), samples, kinds=kinds)
    except http.RefusedError as error:
        problem = f"answers {error.status} {error.reason}"
    except http.UnreachableError as error:
        problem = f"unreachable: {error.reason}"
    except ValueError as error:
        problem = f"no Prometheus text: {error}"
    return Snapshot(asked.url, time.monotonic(), problem=problem)


def parse(text: str) -> tuple[Samples, Mapping[str, str]]:
    """The samples of an exposition in Prometheus' text format, and the kind of each.

    Raises:
        ValueError: If it is not in that format.
    """
    samples: dict[str, dict[Labels, float]] = {}
    kinds: dict[str, str] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = frozenset(sample.labels.items())
            samples.setdefault(sample.name, {})[labels] = float(sample.value)
            kinds[sample.name] = family.type
    return samples, kinds
