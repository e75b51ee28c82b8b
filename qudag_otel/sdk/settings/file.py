"""Declarative configuration: OTEL_CONFIG_FILE decides alone."""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING, Any

from opentelemetry import trace as trace_api
from opentelemetry._logs import get_logger_provider
from opentelemetry.metrics import get_meter_provider

from qudag_otel import identity
from qudag_otel.sdk.settings import variables as v
from qudag_otel.sdk.settings.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence


def apply(path: str) -> Sequence[Any]:
    """Set up the SDK as a file says, and the identity from its resource.

    Args:
        path: A YAML or JSON file of the OpenTelemetry configuration schema.

    Returns:
        The providers that the file set.

    Raises:
        ConfigurationError: The extra is missing, or the file cannot be used.
    """
    try:
        from opentelemetry.configuration import ConfigurationError as FileError
        from opentelemetry.configuration import configure_sdk, load_config_file
    except ImportError:
        raise ConfigurationError(
            v.CONFIG_FILE.name, path, "this installation cannot read configuration files",
            "Install the extra: pip install 'qudag-otel[file-configuration]'.",
        ) from None  # fmt: skip
    try:
        configure_sdk(load_config_file(path))
    except (FileError, ImportError) as error:
        raise ConfigurationError(
            v.CONFIG_FILE.name, path, str(error),
            "Correct the file after the schema of opentelemetry-configuration.",
        ) from error  # fmt: skip
    everything: tuple[Any, ...] = (
        trace_api.get_tracer_provider(),
        get_meter_provider(),
        get_logger_provider(),
    )
    # What the file leaves out is not a provider of the SDK and needs no shutdown.
    providers = [provider for provider in everything if hasattr(provider, "shutdown")]
    for provider in providers:
        # Theirs would wait for each exporter in turn, without a bound.
        atexit.unregister(provider.shutdown)
    for provider in providers:
        resource = getattr(provider, "resource", None)
        if resource is not None:
            identity.set_identity(
                node_id=resource.attributes.get(identity.NODE_ATTRIBUTE),
                swarm_id=resource.attributes.get(identity.SWARM_ATTRIBUTE),
            )
            break
    return providers
