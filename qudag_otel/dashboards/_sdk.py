"""The one door to grafana-foundation-sdk: everything that the dashboards are built with.

The SDK warns on import that it prefers the second schema. Grafana does not take that from
provisioned files, so the warning asks for nothing that can be done.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "Prefer using", DeprecationWarning)
    from grafana_foundation_sdk.builders import dashboard as build
    from grafana_foundation_sdk.builders import prometheus
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.cog.runtime import UnknownDataquery
    from grafana_foundation_sdk.cog.variants import Dataquery
    from grafana_foundation_sdk.models import (
        bargauge,
        common,
        dashboard,
        heatmap,
        logs,
        nodegraph,
        stat,
        statetimeline,
        table,
        timeseries,
    )
    from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

__all__ = [
    "Builder",
    "Dataquery",
    "JSONEncoder",
    "PromQueryFormat",
    "QueryEditorMode",
    "UnknownDataquery",
    "bargauge",
    "build",
    "common",
    "dashboard",
    "heatmap",
    "logs",
    "nodegraph",
    "prometheus",
    "register_default_plugins",
    "stat",
    "statetimeline",
    "table",
    "timeseries",
]
