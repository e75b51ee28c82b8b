"""Links between dashboards: they keep the time range and everything that was chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel.catalogue import uids
from qudag_otel.dashboards._sdk import build, dashboard

if TYPE_CHECKING:
    from qudag_otel.dashboards._sdk import Builder

TAG: Final = "qudag"
"""The tag of all dashboards, by which they find each other."""
_KEEP: Final = "${__url_time_range}&${__all_variables}"


def url(uid: str, *, variables: str = _KEEP) -> str:
    """The URL of a dashboard, for links on panels and cells."""
    return f"/d/{uid}?{variables}"


def to_dashboard(uid: str, title: str) -> build.DashboardLink:
    """A link from a panel's title to a dashboard."""
    return build.DashboardLink(title).type(dashboard.DashboardLinkType.LINK).url(url(uid))


def navigation() -> list[Builder[dashboard.DashboardLink]]:
    """What stands at the top of each dashboard."""
    return [
        build.DashboardLink("Overview")
        .type(dashboard.DashboardLinkType.LINK)
        .icon("dashboard")
        .url(f"/d/{uids.OVERVIEW}")
        .keep_time(keep_time=True)
        .include_vars(include_vars=True),
        build.DashboardLink("Dashboards")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(as_dropdown=True)
        .keep_time(keep_time=True)
        .include_vars(include_vars=True),
    ]
