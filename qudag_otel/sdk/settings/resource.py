"""The resource: which service, process, host and node the telemetry comes from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.resources import (
    PROCESS_PARENT_PID,
    PROCESS_PID,
    SERVICE_NAME,
    TELEMETRY_SDK_LANGUAGE,
    TELEMETRY_SDK_NAME,
    TELEMETRY_SDK_VERSION,
    Resource,
    get_aggregated_resources,
)
from opentelemetry.sdk.version import __version__ as sdk_version

from qudag_otel import identity
from qudag_otel.sdk.settings import plugins
from qudag_otel.sdk.settings import variables as v

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import AttributeValue

    from qudag_otel.sdk.settings.settings import Settings

_DETECTORS: Final = ("service_instance", "process", "host", "os")
_DETECT_SECONDS: Final = 5


def describe(
    settings: Settings,
    attributes: Mapping[str, AttributeValue],
    *,
    node_id: str | None,
    swarm_id: str | None,
) -> Resource:
    """Make the resource, and set the process's identity from it.

    Args:
        settings: The environment and arguments.
        attributes: Attributes that the application gives; those of the environment win.
        node_id: The node, unless the environment names it.
        swarm_id: The swarm, unless the environment names it.

    Returns:
        What was detected, then `attributes`, then the environment's, then the service's name.
    """
    detected = get_aggregated_resources(
        [
            plugins.load(
                "opentelemetry_resource_detector", name, v.RESOURCE_DETECTORS.name, _DETECTORS
            )()
            for name in (*_DETECTORS, *settings[v.RESOURCE_DETECTORS])
        ],
        Resource(
            {
                TELEMETRY_SDK_LANGUAGE: "python",
                TELEMETRY_SDK_NAME: "opentelemetry",
                TELEMETRY_SDK_VERSION: sdk_version,
            }
        ),
        timeout=_DETECT_SECONDS,
    )
    given: dict[str, AttributeValue] = dict(attributes)
    if node_id is not None:
        given[identity.NODE_ATTRIBUTE] = node_id
    if swarm_id is not None:
        given[identity.SWARM_ATTRIBUTE] = swarm_id
    named_by_argument = settings.origin(v.SERVICE_NAME) == "argument"
    if named_by_argument:
        given[SERVICE_NAME] = settings[v.SERVICE_NAME]
    given.update(settings[v.RESOURCE_ATTRIBUTES])
    if settings[v.SERVICE_NAME] and not named_by_argument:
        given[SERVICE_NAME] = settings[v.SERVICE_NAME]
    given[SERVICE_NAME] = given.get(SERVICE_NAME) or v.SERVICE_NAME.shown
    identity.set_identity(
        node_id=_text(given.get(identity.NODE_ATTRIBUTE)),
        swarm_id=_text(given.get(identity.SWARM_ATTRIBUTE)),
    )
    given[identity.NODE_ATTRIBUTE] = identity.node_id()
    given[identity.SWARM_ATTRIBUTE] = identity.swarm_id()
    settings.put(v.SERVICE_NAME, str(given[SERVICE_NAME]), _origin_of_service(settings, given))
    return detected.merge(Resource(given))


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _origin_of_service(settings: Settings, given: Mapping[str, AttributeValue]) -> str:
    if settings.given(v.SERVICE_NAME) and given[SERVICE_NAME] == settings[v.SERVICE_NAME]:
        return settings.origin(v.SERVICE_NAME)
    if SERVICE_NAME in settings[v.RESOURCE_ATTRIBUTES]:
        return v.RESOURCE_ATTRIBUTES.name
    return "default" if given[SERVICE_NAME] == v.SERVICE_NAME.shown else "argument"


def of_this_process() -> Resource:
    """Describe what differs between a process and the one it was forked from."""
    return Resource({PROCESS_PID: os.getpid(), PROCESS_PARENT_PID: os.getppid()})
