"""Every environment variable that the set-up reads: name, parser, default and effect.

One entry adds a variable: reading, checking, `Telemetry.settings` and the table in
docs/configuration.md follow from it.

Source: OpenTelemetry specification, "Environment Variable Specification" and "OpenTelemetry
Protocol Exporter"; OTEL_PYTHON_* and OTEL_EXPERIMENTAL_RESOURCE_DETECTORS from the Python SDK.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from qudag_otel.sdk.settings import parsers as p

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Variable(Generic[T_co]):
    """One environment variable.

    Args:
        name: The variable.
        parse: Makes the value of its text, or raises `Rejected`.
        default: The value while neither variable, argument nor `general` is set.
        shown: The default as the documentation shows it.
        effect: What it does, as a sentence.
        section: The heading it is documented under.
        secret: Masked wherever settings are shown.
        general: The variable that stands in for this one while it is unset.
    """

    name: str
    parse: Callable[[str], T_co]
    default: T_co
    shown: str
    effect: str
    section: str
    secret: bool = False
    general: Variable[T_co] | None = None


TABLE: Final[dict[str, Variable[Any]]] = {}
"""All variables by name, in the order of the documentation."""


def _variable(
    name: str,
    parse: Callable[[str], T],
    default: T,
    shown: str,
    effect: str,
    section: str,
    *,
    secret: bool = False,
    general: Variable[T] | None = None,
) -> Variable[T]:
    variable = Variable(
        name=name, parse=parse, default=default, shown=shown, effect=effect, section=section,
        secret=secret, general=general,
    )  # fmt: skip
    TABLE[name] = variable
    return variable


GENERAL: Final = "General"
EXPORTERS: Final = "Exporters"
OTLP: Final = "OTLP"
PROMETHEUS: Final = "Prometheus"
METRICS: Final = "Metrics"
TRACES: Final = "Traces"
BATCHES: Final = "Batches"
LIMITS: Final = "Limits"
PYTHON: Final = "Python"

# --- General
_W3C: tuple[str, ...] = ("tracecontext", "baggage")
SDK_DISABLED: Final = _variable(
    "OTEL_SDK_DISABLED", p.boolean, default=False, shown="false",
    effect="Turn everything off: no provider, no thread, no port.", section=GENERAL,
)  # fmt: skip
CONFIG_FILE: Final = _variable(
    "OTEL_CONFIG_FILE", p.configuration_file, default="", shown="",
    effect=(
        "Declarative configuration. The file then decides alone and the other variables count only "
        "where the file names them; needs the extra `file-configuration`."
    ),
    section=GENERAL,
)  # fmt: skip
SERVICE_NAME: Final = _variable(
    "OTEL_SERVICE_NAME", p.text, default="", shown="unknown_service:python",
    effect="The resource attribute `service.name`.", section=GENERAL,
)  # fmt: skip
RESOURCE_ATTRIBUTES: Final = _variable(
    "OTEL_RESOURCE_ATTRIBUTES", p.resource_attributes, default=dict[str, str](), shown="",
    effect=(
        "Resource attributes, `key=value` pairs separated by commas. `qudag.node.id` also gives "
        "the label `node_id`, `qudag.swarm.id` the label `swarm_id`."
    ),
    section=GENERAL,
)  # fmt: skip
LOG_LEVEL: Final = _variable(
    "OTEL_LOG_LEVEL", p.words("debug", "info", "warn", "warning", "error", "fatal", "none"),
    default="info", shown="info",
    effect="From which level on the SDK's own messages are logged.", section=GENERAL,
)  # fmt: skip
PROPAGATORS: Final = _variable(
    "OTEL_PROPAGATORS", p.names, default=_W3C, shown="tracecontext,baggage",
    effect=(
        "How context crosses processes, in order: tracecontext, baggage, none, and those that "
        "installed packages add."
    ),
    section=GENERAL,
)  # fmt: skip

# --- Exporters
SIGNALS: Final = ("traces", "metrics", "logs")
EXPORTER: Final[Mapping[str, Variable[tuple[str, ...]]]] = {
    signal: _variable(
        f"OTEL_{signal.upper()}_EXPORTER", p.exporter_names, default=("otlp",), shown="otlp",
        effect=(
            f"Where {signal} go, one or several: "
            f"{'otlp, prometheus, console' if signal == 'metrics' else 'otlp, console'}"
            " or none, and those that installed packages add."
        ),
        section=EXPORTERS,
    )
    for signal in SIGNALS
}  # fmt: skip

# --- OTLP: each once in general and once for every signal
_UNLIMITED_SECONDS: Final = 24 * 3600.0


def _per_signal(
    suffix: str,
    parse: Callable[[str], T],
    default: T,
    shown: str,
    effect: str,
    *,
    signal_effect: str = "",
    secret: bool = False,
) -> dict[str, Variable[T]]:
    general = _variable(
        f"OTEL_EXPORTER_OTLP_{suffix}", parse, default, shown, effect, OTLP, secret=secret
    )
    return {
        signal: _variable(
            f"OTEL_EXPORTER_OTLP_{signal.upper()}_{suffix}", parse, default,
            f"as {general.name}", signal_effect or f"The same for {signal} only.", OTLP,
            secret=secret, general=general,
        )
        for signal in SIGNALS
    }  # fmt: skip


OTLP_PROTOCOL: Final = _per_signal(
    "PROTOCOL", p.words("grpc", "http/protobuf", "http/json"), "grpc", "grpc",
    "How OTLP is spoken: grpc, http/protobuf or http/json.",
)  # fmt: skip
OTLP_ENDPOINT: Final = _per_signal(
    "ENDPOINT", p.endpoint, "",
    "http://localhost:4317 for grpc, http://localhost:4318 over HTTP",
    (
        "The receiver. Over HTTP `/v1/traces`, `/v1/metrics` or `/v1/logs` is appended to the "
        "path; the variable of one signal is used as it is. Over gRPC also `unix:///path` and "
        "`dns:///host:port`."
    ),
)  # fmt: skip
OTLP_HEADERS: Final = _per_signal(
    "HEADERS", p.headers, dict[str, str](), "",
    "Headers of every request, `key=value` pairs separated by commas.", secret=True,
)  # fmt: skip
OTLP_TIMEOUT: Final = _per_signal(
    "TIMEOUT", p.Seconds(zero=_UNLIMITED_SECONDS), 10.0, "10000",
    (
        "How long one export may take with its retries, in milliseconds; 0 for no bound. (The "
        "Python SDK takes seconds here; the specification, and this project, milliseconds.)"
    ),
)  # fmt: skip
OTLP_COMPRESSION: Final = _per_signal(
    "COMPRESSION", p.words("none", "gzip", "deflate"), "none", "none",
    "none, gzip, or (over HTTP) deflate.",
)  # fmt: skip
OTLP_INSECURE: Final = _per_signal(
    "INSECURE", p.boolean, default=False, shown="false",
    effect="Over gRPC, and only where the endpoint names no scheme: no TLS.",
)  # fmt: skip
OTLP_CERTIFICATE: Final = _per_signal(
    "CERTIFICATE", p.readable_file, "", "the system's",
    "PEM file with the authorities that may have signed the receiver's certificate.",
)  # fmt: skip
OTLP_CLIENT_KEY: Final = _per_signal(
    "CLIENT_KEY", p.readable_file, "", "",
    "PEM file with this client's private key, for mutual TLS.",
)  # fmt: skip
OTLP_CLIENT_CERTIFICATE: Final = _per_signal(
    "CLIENT_CERTIFICATE", p.readable_file, "", "",
    "PEM file with this client's certificate, for mutual TLS.",
)  # fmt: skip
OTLP_TEMPORALITY: Final = _variable(
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
    p.words("cumulative", "delta", "lowmemory"), "cumulative", "cumulative",
    "Whether sums count since the start or since the last export.", OTLP,
)  # fmt: skip
OTLP_HISTOGRAMS: Final = _variable(
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
    p.words("explicit_bucket_histogram", "base2_exponential_bucket_histogram"),
    "explicit_bucket_histogram", "explicit_bucket_histogram",
    "The kind of histogram that is exported. The catalogue's histograms keep their bounds, which "
    "rules and panels read; for both, give `configure` two views of one: itself with "
    "`ExplicitBucketHistogramAggregation`, and under another name with "
    "`ExponentialBucketHistogramAggregation`. Where views make all of them exponential, or "
    "Prometheus turns them into native ones, `qudag-otel alerts export` and `dashboards export` "
    "with `--histograms native` write rules and panels that read those.", OTLP,
)  # fmt: skip

# --- Prometheus
PROMETHEUS_HOST: Final = _variable(
    "OTEL_EXPORTER_PROMETHEUS_HOST", p.text, "127.0.0.1", "127.0.0.1",
    "The address that serves /metrics; 0.0.0.0 for every IPv4 address.", PROMETHEUS,
)  # fmt: skip
PROMETHEUS_PORT: Final = _variable(
    "OTEL_EXPORTER_PROMETHEUS_PORT", p.Integer(0, 65535), 9464, "9464",
    "The port of /metrics; 0 lets the system pick one.", PROMETHEUS,
)  # fmt: skip
PROMETHEUS_WEB_CONFIG: Final = _variable(
    "QUDAG_PROMETHEUS_WEB_CONFIG_FILE", p.readable_file, "", "",
    (
        "TLS and users of /metrics: Prometheus' web configuration file; needs the extra "
        "`web-config`."
    ),
    PROMETHEUS,
)  # fmt: skip
PROMETHEUS_TOKEN: Final = _variable(
    "QUDAG_PROMETHEUS_TOKEN_FILE", p.readable_file, "", "",
    (
        "The file of a bearer token that a scraper must send, or a user of the web configuration; "
        "read again when it changes."
    ),
    PROMETHEUS,
)  # fmt: skip

# --- Metrics
METRIC_EXPORT_INTERVAL: Final = _variable(
    "OTEL_METRIC_EXPORT_INTERVAL", p.Seconds(zero=None), 60.0, "60000",
    "Milliseconds from one export of metrics to the next.", METRICS,
)  # fmt: skip
METRIC_EXPORT_TIMEOUT: Final = _variable(
    "OTEL_METRIC_EXPORT_TIMEOUT", p.Seconds(zero=math.inf), 30.0, "30000",
    "How long collecting and exporting may take, in milliseconds.", METRICS,
)  # fmt: skip
EXEMPLAR_FILTER: Final = _variable(
    "OTEL_METRICS_EXEMPLAR_FILTER", p.words("trace_based", "always_on", "always_off"),
    "trace_based", "trace_based",
    "Which measurements may become exemplars: those in sampled traces, all, or none.", METRICS,
)  # fmt: skip

# --- Traces
TRACES_SAMPLER: Final = _variable(
    "OTEL_TRACES_SAMPLER", p.text, "parentbased_always_on", "parentbased_always_on",
    (
        "Which traces are kept: always_on, always_off, traceidratio, each also with the prefix "
        "parentbased_, and those that installed packages add."
    ),
    TRACES,
)  # fmt: skip
TRACES_SAMPLER_ARG: Final = _variable(
    "OTEL_TRACES_SAMPLER_ARG", p.text, "", "1.0",
    (
        "The sampler's argument: for traceidratio the share of traces kept, 0 to 1; what the "
        "sampler cannot use is ignored with a warning."
    ),
    TRACES,
)  # fmt: skip


# --- Batches
def _batch(prefix: str, what: str, delay: int) -> dict[str, Variable[Any]]:
    def entry(
        suffix: str, parse: Callable[[str], T], default: T, shown: str, effect: str
    ) -> Variable[T]:
        return _variable(f"{prefix}_{suffix}", parse, default, shown, effect, BATCHES)

    return {
        "delay": entry("SCHEDULE_DELAY", p.Seconds(zero=0.0), delay / 1000, str(delay),
                       f"Milliseconds that {what} may wait for a batch to fill."),
        "timeout": entry("EXPORT_TIMEOUT", p.Seconds(zero=math.inf), 30.0, "30000",
                         f"How long one export of {what} may take, in milliseconds."),
        "queue": entry("MAX_QUEUE_SIZE", p.Integer(1), 2048, "2048",
                       f"How many {what} may wait; further ones are dropped and counted."),
        "batch": entry("MAX_EXPORT_BATCH_SIZE", p.Integer(1), 512, "512",
                       f"How many {what} one request carries at most."),
    }  # fmt: skip


BATCH: Final = {
    "traces": _batch("OTEL_BSP", "spans", 5000),
    "logs": _batch("OTEL_BLRP", "log records", 1000),
}

# --- Limits
_COUNT: Final = p.Integer(0)


def _limit(name: str, default: int | None, shown: str, effect: str) -> Variable[int | None]:
    parse: Callable[[str], int | None] = _COUNT
    return _variable(name, parse, default, shown, effect, LIMITS)


ATTRIBUTE_LENGTH: Final = _limit(
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", None, "no limit",
    "Longest value of an attribute.")  # fmt: skip
ATTRIBUTE_COUNT: Final = _limit(
    "OTEL_ATTRIBUTE_COUNT_LIMIT", None, "128",
    "Most attributes of a span, event, link or log record.")  # fmt: skip
SPAN_ATTRIBUTE_LENGTH: Final = _limit(
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", None, "as OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "Longest value of a span's attribute.")  # fmt: skip
SPAN_ATTRIBUTE_COUNT: Final = _limit(
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", None, "as OTEL_ATTRIBUTE_COUNT_LIMIT",
    "Most attributes of a span.")  # fmt: skip
SPAN_EVENT_COUNT: Final = _limit(
    "OTEL_SPAN_EVENT_COUNT_LIMIT", 128, "128", "Most events of a span.")  # fmt: skip
SPAN_LINK_COUNT: Final = _limit(
    "OTEL_SPAN_LINK_COUNT_LIMIT", 128, "128", "Most links of a span.")  # fmt: skip
EVENT_ATTRIBUTE_COUNT: Final = _limit(
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", None, "as OTEL_ATTRIBUTE_COUNT_LIMIT",
    "Most attributes of a span's event.")  # fmt: skip
LINK_ATTRIBUTE_COUNT: Final = _limit(
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", None, "as OTEL_ATTRIBUTE_COUNT_LIMIT",
    "Most attributes of a span's link.")  # fmt: skip
LOG_ATTRIBUTE_LENGTH: Final = _limit(
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", None, "as OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "Longest value of a log record's attribute.")  # fmt: skip
LOG_ATTRIBUTE_COUNT: Final = _limit(
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", None, "as OTEL_ATTRIBUTE_COUNT_LIMIT",
    "Most attributes of a log record.")  # fmt: skip

# --- Python
_NONE: tuple[str, ...] = ()
ID_GENERATOR: Final = _variable(
    "OTEL_PYTHON_ID_GENERATOR", p.text, "random", "random",
    "Where trace and span ids come from: random, and what installed packages add.", PYTHON,
)  # fmt: skip
RESOURCE_DETECTORS: Final = _variable(
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", p.names, _NONE, "",
    "Further resource detectors, by entry point; host, process and service are always described.",
    PYTHON,
)  # fmt: skip
SDK_METRICS: Final = _variable(
    "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", p.boolean, default=True, shown="true",
    effect=(
        "Metrics of the SDK itself, `otel.sdk.*`: what is queued, sent and lost. (The default of "
        "the Python SDK is false: its own cost something at each span.)"
    ),
    section=PYTHON,
)  # fmt: skip
PREFIX: Final = _variable(
    "OTEL_PYTHON_QUDAG_PREFIX", p.prefix, "qudag", "qudag",
    "How the metrics of operations and errors begin: `acme` for `acme_operation_duration_seconds`. "
    "Rules and dashboards follow with `--prefix`.",
    PYTHON,
)  # fmt: skip
PROCESS_METRICS: Final = _variable(
    "OTEL_PYTHON_QUDAG_PROCESS_METRICS", p.boolean, default=False, shown="false",
    effect="Metrics of the process: CPU, memory, threads, descriptors, garbage collector.",
    section=PYTHON,
)  # fmt: skip
INSTRUMENT: Final = _variable(
    "OTEL_PYTHON_QUDAG_INSTRUMENT", p.names, _NONE, "",
    "Functions to instrument when their modules are imported, `module:function` separated by "
    "commas; see docs/how-to/calls.md.",
    PYTHON,
)  # fmt: skip
ADAPTER_NAMES: Final = _variable(
    "OTEL_PYTHON_QUDAG_ADAPTER_NAMES", p.names, _NONE, "qudag,semconv",
    "Under which names adapters of libraries report: QuDAG's, OpenTelemetry's, or both; they read "
    "it themselves, see docs/how-to/libraries.md.",
    PYTHON,
)  # fmt: skip
LOGGING_BRIDGE: Final = _variable(
    "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED", p.boolean, default=True, shown="true",
    effect="Send the records of the standard library's logging where OTEL_LOGS_EXPORTER says.",
    section=PYTHON,
)  # fmt: skip
