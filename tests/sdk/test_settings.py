"""Reading the variables: precedence, defaults, and what bad values are answered with."""

from __future__ import annotations

import importlib
import logging
import os
import pickle
import re
import socket
import sys
import threading
import urllib.request
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import metrics, trace

from qudag_otel import identity
from qudag_otel.catalogue import metrics as m
from qudag_otel.instruments import observe
from qudag_otel.sdk import ConfigurationError, configure, current, reset
from qudag_otel.sdk.export.otlp import receiver
from qudag_otel.sdk.settings import variables as v
from qudag_otel.sdk.settings.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NOTHING = {
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
}
PROMETHEUS = {
    **NOTHING,
    "OTEL_METRICS_EXPORTER": "prometheus",
    "OTEL_EXPORTER_PROMETHEUS_PORT": "0",
}

BAD = [
    ("OTEL_TRACES_EXPORTER", "otpl", "unknown"),
    ("OTEL_METRICS_EXPORTER", "prometeus", "unknown"),
    ("OTEL_LOGS_EXPORTER", "none,otlp", "none stands beside"),
    ("OTEL_EXPORTER_PROMETHEUS_PORT", "metrics", "not a whole number"),
    ("OTEL_EXPORTER_PROMETHEUS_PORT", "70000", "out of range"),
    ("OTEL_EXPORTER_PROMETHEUS_PORT", "-1", "out of range"),
    ("OTEL_EXPORTER_PROMETHEUS_HOST", "no.such.host.invalid", "not an address"),
    ("OTEL_EXPORTER_PROMETHEUS_HOST", "203.0.113.1", "not an address"),
    ("OTEL_RESOURCE_ATTRIBUTES", "a=1,b", "no equals sign"),
    ("OTEL_RESOURCE_ATTRIBUTES", "=1", "no key"),
    ("OTEL_RESOURCE_ATTRIBUTES", "a=%ff", "percent-encoded"),
    ("OTEL_TRACES_SAMPLER", "sometimes", "unknown"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "10s", "not a number of milliseconds"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "0", "not a duration"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "nan", "not a duration"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "out of range"),
    ("OTEL_BSP_SCHEDULE_DELAY", "-5", "not a duration"),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", "-1", "out of range"),
    ("OTEL_PROPAGATORS", "tracecontext,b33", "unknown"),
    ("OTEL_METRICS_EXEMPLAR_FILTER", "on", "unknown"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/xml", "unknown"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://host", "scheme"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://host:99999", "port"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector", "not a URL"),
    ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "soon", "not a number of milliseconds"),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip", "unknown"),
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file.pem", "no readable file"),
    ("OTEL_PYTHON_ID_GENERATOR", "dice", "unknown"),
    ("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "cloudy", "unknown"),
    ("OTEL_LOG_LEVEL", "loud", "unknown"),
    ("OTEL_CONFIG_FILE", "/no/such/file.yaml", "no readable file"),
]


@pytest.mark.parametrize(("name", "value", "problem"), BAD)
def test_configure_bad_value_names_variable_value_problem_and_remedy(
    name: str, value: str, problem: str
) -> None:
    """Whatever is wrong, the error says where, what and what to do, and nothing stays behind."""
    threads = set(threading.enumerate())
    with pytest.raises(ConfigurationError) as caught:
        configure(environ={**PROMETHEUS, "OTEL_TRACES_EXPORTER": "otlp", name: value})
    error = caught.value
    assert (error.name, problem in error.problem) == (name, True), str(error)
    assert error.remedy.endswith(".")
    assert re.match(r"(Set|Write|Name) ", error.remedy), error.remedy
    assert str(error).startswith(f"{name}=")
    assert current() is None
    more = [one.name for one in set(threading.enumerate()) - threads if one.is_alive()]
    # Executors of earlier tests may still end.
    assert [name for name in more if not name.startswith("ThreadPoolExecutor")] == []


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "unix:///run/otel.sock",
          "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "10", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "11"},
         "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "deflate"}, "OTEL_EXPORTER_OTLP_COMPRESSION"),
        ({"OTEL_EXPORTER_OTLP_CLIENT_KEY": __file__}, "OTEL_EXPORTER_OTLP_CLIENT_KEY"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "host:4318",
          "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ],
)  # fmt: skip
def test_configure_contradiction_is_named(variables: Mapping[str, str], name: str) -> None:
    """Two values that do not go together are an error that names one of them."""
    with pytest.raises(ConfigurationError, match=name) as caught:
        configure(environ={**NOTHING, "OTEL_TRACES_EXPORTER": "otlp", **variables})
    assert caught.value.name == name


@pytest.mark.parametrize("word", ["yes", "1", "on", "TRUE!"])
@pytest.mark.parametrize(
    "name", ["OTEL_SDK_DISABLED", "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED"]
)
def test_boolean_other_than_true_is_false_with_a_warning(
    caplog: pytest.LogCaptureFixture, name: str, word: str
) -> None:
    """As the specification has it: only `true` is true, and what is neither is said."""
    telemetry = configure(environ={**NOTHING, name: word})
    shown = {setting.name: (setting.value, setting.origin) for setting in telemetry.settings}
    assert shown[name] == ("false", "environment")
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{name}={word}: neither true nor false. Set it to true or false, or unset it. "
        "It counts as false."
    )


@pytest.mark.parametrize("name", ["traceidratio", "parentbased_traceidratio"])
@pytest.mark.parametrize("argument", ["2", "-0.1", "half", "nan"])
def test_sampler_argument_unusable_is_ignored_with_a_warning(
    caplog: pytest.LogCaptureFixture, name: str, argument: str
) -> None:
    """As the specification has it: as if it were not set, so every trace is kept."""
    configure(environ={**NOTHING, "OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": argument})
    assert trace.get_tracer("t").start_span("s").is_recording()
    (record,) = caplog.records
    assert f"OTEL_TRACES_SAMPLER_ARG={argument} is ignored" in record.getMessage()


def test_names_of_the_specification_are_taken_in_any_case() -> None:
    """Exporters, propagators, samplers, protocols: enumerations are not case-sensitive."""
    settings = Settings(
        {
            "OTEL_TRACES_EXPORTER": "OTLP,Console",
            "OTEL_METRICS_EXPORTER": "None",
            "OTEL_PROPAGATORS": "TraceContext, BAGGAGE,",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "HTTP/Protobuf",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "GZIP",
            "OTEL_METRICS_EXEMPLAR_FILTER": "Always_On",
            "OTEL_SDK_DISABLED": "True",
        }
    )
    assert settings[v.EXPORTER["traces"]] == ("otlp", "console")
    assert settings[v.EXPORTER["metrics"]] == ()
    assert settings[v.PROPAGATORS] == ("tracecontext", "baggage")
    assert settings[v.OTLP_PROTOCOL["logs"]] == "http/protobuf"
    assert settings[v.OTLP_COMPRESSION["logs"]] == "gzip"
    assert settings[v.EXEMPLAR_FILTER] == "always_on"
    assert settings[v.SDK_DISABLED]


@pytest.mark.parametrize(
    ("variables", "endpoint", "insecure"),
    [
        ({"ENDPOINT": "unix:///run/otel.sock"}, "unix:///run/otel.sock", True),
        ({"ENDPOINT": "unix:/run/otel.sock"}, "unix:/run/otel.sock", True),
        ({"ENDPOINT": "dns:///host:4317"}, "dns:///host:4317", False),
        ({"ENDPOINT": "dns:///host:4317", "INSECURE": "true"}, "dns:///host:4317", True),
        ({"ENDPOINT": "HTTPS://host"}, "HTTPS://host", False),
        ({"ENDPOINT": "dns:4317"}, "dns:4317", False),
        ({"ENDPOINT": "http://h/a/?key=1", "PROTOCOL": "http/protobuf"},
         "http://h/a/v1/traces?key=1", True),
        ({"ENDPOINT": "http://h?key=1", "PROTOCOL": "http/json"}, "http://h/v1/traces?key=1", True),
        ({"TRACES_ENDPOINT": "http://h/a?key=1", "PROTOCOL": "http/protobuf"},
         "http://h/a?key=1", True),
    ],
)  # fmt: skip
def test_endpoint_of_every_form_leads_to_the_receiver(
    variables: Mapping[str, str], endpoint: str, insecure: bool
) -> None:
    """URLs, targets of gRPC's own, queries: what is given is where it goes."""
    settings = Settings({f"OTEL_EXPORTER_OTLP_{key}": text for key, text in variables.items()})
    found = receiver(settings, "traces")
    assert (found.endpoint, found.insecure) == (endpoint, insecure)


def test_configure_port_in_use_names_the_remedy() -> None:
    """Where the port is not to be shared, a taken one says by whom, and how to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = rf"process {os.getpid()} \(.*\) listens on 127.0.0.1:{port}"
        with pytest.raises(ConfigurationError, match=told) as caught:
            configure(
                environ={**PROMETHEUS, "OTEL_EXPORTER_PROMETHEUS_PORT": str(port)},
                prometheus_shared=False,
            )
    assert caught.value.value == port
    assert "0 for one that the system picks" in caught.value.remedy


def test_configure_after_an_error_works() -> None:
    """A failed call leaves nothing behind that a second one stumbles over."""
    with pytest.raises(ConfigurationError):
        configure(environ={**PROMETHEUS, "OTEL_TRACES_EXPORTER": "otpl"})
    assert configure(environ=PROMETHEUS).metrics_url is not None


def test_configure_bad_argument_is_named_as_such() -> None:
    """An argument is checked like the variable it stands for, under its own name."""
    with pytest.raises(ConfigurationError, match="out of range") as caught:
        configure(environ=NOTHING, prometheus_port=99999)
    assert caught.value.name == "prometheus_port"


def test_configuration_error_is_a_value_error_that_pickles() -> None:
    """It crosses process borders as it is."""
    error = ConfigurationError("A", "b", "c", "D.")
    assert isinstance(error, ValueError)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.name) == (str(error), "A")


@pytest.mark.parametrize("value", ["x" * 100_000, 10**5000], ids=["text", "number"])
def test_configuration_error_shows_a_value_in_short(value: object) -> None:
    """Whatever was given, the message can be read, and the value is there."""
    error = ConfigurationError("OTEL_X", value, "too long", "Shorten it.")
    assert len(str(error)) < 1100
    assert error.value == value


def test_headers_malformed_keeps_the_secret() -> None:
    """A secret does not appear in the error that complains about it."""
    with pytest.raises(ConfigurationError) as caught:
        configure(environ={"OTEL_EXPORTER_OTLP_HEADERS": "Bearer s3cret"})
    assert "s3cret" not in str(caught.value)


def test_settings_environment_wins_over_argument_over_default() -> None:
    """The order of precedence, with the origin told for each."""
    environ = {**NOTHING, "OTEL_SERVICE_NAME": "from-env"}
    telemetry = configure(environ=environ, service_name="from-arg", prometheus_host="::1")
    shown = {setting.name: (setting.value, setting.origin) for setting in telemetry.settings}
    assert shown["OTEL_SERVICE_NAME"] == ("from-env", "environment")
    assert shown["OTEL_EXPORTER_PROMETHEUS_HOST"] == ("::1", "argument")
    assert shown["OTEL_METRIC_EXPORT_INTERVAL"] == ("60000", "default")
    assert shown["OTEL_TRACES_EXPORTER"] == ("none", "environment")
    assert list(shown) == list(v.TABLE)


def test_settings_signal_variable_falls_back_to_the_general_one() -> None:
    """A variable of one signal wins over the general one, which is named as the origin."""
    settings = Settings(
        {"OTEL_EXPORTER_OTLP_TIMEOUT": "2500", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "0"}
    )
    assert settings[v.OTLP_TIMEOUT["traces"]] == 2.5
    assert settings.origin(v.OTLP_TIMEOUT["traces"]) == "OTEL_EXPORTER_OTLP_TIMEOUT"
    assert settings[v.OTLP_TIMEOUT["logs"]] == 86400  # 0 is no bound
    shown = {setting.name: setting.value for setting in settings}
    assert shown["OTEL_EXPORTER_OTLP_METRICS_TIMEOUT"] == "2500"


def test_settings_empty_variable_is_unset() -> None:
    """As the specification asks."""
    settings = Settings({"OTEL_BSP_MAX_QUEUE_SIZE": "", "OTEL_SERVICE_NAME": "  "})
    assert settings[v.BATCH["traces"]["queue"]] == 2048
    assert not settings.given(v.SERVICE_NAME)


def test_settings_secrets_are_masked() -> None:
    """Header values never show; their names do."""
    settings = Settings({"OTEL_EXPORTER_OTLP_HEADERS": "authorization=s3cret,x=y"})
    shown = {setting.name: setting.value for setting in settings}
    assert shown["OTEL_EXPORTER_OTLP_HEADERS"] == "authorization=[redacted],x=[redacted]"
    assert "s3cret" not in "".join(shown.values())
    assert settings[v.OTLP_HEADERS["traces"]] == {"authorization": "s3cret", "x": "y"}


def test_password_of_a_url_is_masked() -> None:
    """Who may read a URL shows; neither in the settings nor in what is said of a bad one."""
    settings = Settings({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:s3cret@localhost:4318"})
    shown = {setting.name: setting.value for setting in settings}
    assert shown["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://****@localhost:4318"
    bad = {**NOTHING, "OTEL_TRACES_EXPORTER": "otlp",
           "OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:s3cret@localhost:port"}  # fmt: skip
    with pytest.raises(ConfigurationError) as raised:
        configure(environ=bad)
    assert "s3cret" not in str(raised.value)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in str(raised.value)


def test_variable_mistyped_name_is_suspected_once(caplog: pytest.LogCaptureFixture) -> None:
    """A name that is read nowhere but looks like one that is gets one warning."""
    configure(environ={**NOTHING, "OTEL_METRICS_EXPORTERS": "x", "OTEL_GO_X": "y"})
    (record,) = caplog.records
    assert record.getMessage() == (
        "OTEL_METRICS_EXPORTERS is read nowhere; did you mean OTEL_METRICS_EXPORTER?"
    )


def test_identity_follows_the_resource() -> None:
    """qudag.node.id and qudag.swarm.id of the environment win over the arguments."""
    configure(
        environ={**NOTHING, "OTEL_RESOURCE_ATTRIBUTES": "qudag.node.id=n1"},
        node_id="n2",
        swarm_id="s2",
    )
    assert (identity.node_id(), identity.swarm_id()) == ("n1", "s2")


@pytest.mark.parametrize(
    ("variables", "argument", "expected"),
    [
        ({}, None, "unknown_service:python"),
        ({}, "a", "a"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=r"}, "a", "r"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name="}, None, "unknown_service:python"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=r", "OTEL_SERVICE_NAME": "s"}, "a", "s"),
    ],
)
def test_service_name_precedence(
    variables: Mapping[str, str], argument: str | None, expected: str
) -> None:
    """OTEL_SERVICE_NAME, then OTEL_RESOURCE_ATTRIBUTES, then the argument, then the default."""
    telemetry = configure(environ={**NOTHING, **variables}, service_name=argument)
    shown = {setting.name: setting.value for setting in telemetry.settings}
    assert shown["OTEL_SERVICE_NAME"] == expected
    provider = trace.get_tracer_provider()
    assert provider.resource.attributes["service.name"] == expected  # type: ignore[attr-defined]  # the SDK's


def test_disabled_starts_nothing() -> None:
    """No provider, no thread, no port."""
    threads = set(threading.enumerate())
    telemetry = configure(environ={**PROMETHEUS, "OTEL_SDK_DISABLED": "true"})
    assert telemetry.metrics_url is None
    assert set(threading.enumerate()) == threads
    assert not trace.get_tracer("t").start_span("s").is_recording()
    assert telemetry.force_flush()
    assert telemetry.shutdown()


def test_configure_twice_returns_the_same_and_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    """Other arguments are warned about, none are not."""
    first = configure(environ=PROMETHEUS, service_name="a")
    assert configure(environ=PROMETHEUS) is first
    assert configure(environ=PROMETHEUS, service_name="a") is first
    assert caplog.records == []
    assert configure(environ=PROMETHEUS, service_name="b") is first
    assert configure(environ=PROMETHEUS, node_id="n") is first
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_configure_concurrently_makes_one_set_up() -> None:
    """Threads that configure at the same time share one set-up."""
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.append(configure(environ=PROMETHEUS)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1


def test_configure_after_shutdown_starts_anew() -> None:
    """A closed set-up can be followed by another one, which records."""
    first = configure(environ=PROMETHEUS)
    stop = observe(m.CACHE_MEMORY, lambda: [({"cache_type": "c"}, 1.0)])
    assert first.shutdown()
    second = configure(environ=PROMETHEUS)
    assert second is not first
    metrics.get_meter("t").create_counter("c").add(1)
    assert second.metrics_url is not None
    page = urllib.request.urlopen(second.metrics_url).read().decode()
    assert "c_total 1" in page
    assert "qudag_cache_memory_bytes{" in page
    stop()


def test_configure_leaves_providers_of_the_application_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A provider set before stays, with a warning; the other signals are ours."""
    theirs = trace.NoOpTracerProvider()
    trace.set_tracer_provider(theirs)
    configure(environ=PROMETHEUS)
    assert trace.get_tracer_provider() is theirs
    assert [record.getMessage() for record in caplog.records] == [
        "the application has set a provider for traces already; configure() leaves them to it"
    ]


def test_reset_undoes_everything() -> None:
    """After reset the process is as before: no provider, no thread, no handler, no identity."""
    threads = set(threading.enumerate())
    configure(environ={**NOTHING, "OTEL_LOGS_EXPORTER": "console"}, node_id="n9")
    assert logging.Logger.callHandlers.__module__ != "logging"
    reset()
    assert current() is None
    assert type(trace.get_tracer_provider()).__name__ == "ProxyTracerProvider"
    assert set(threading.enumerate()) <= threads
    assert logging.Logger.callHandlers.__module__ == "logging"
    assert identity.node_id() != "n9"


@settings(deadline=None)  # machines that run tests are busy
@given(
    st.dictionaries(
        st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1),
        st.text(st.characters(codec="utf-8")),
    )
)
def test_resource_attributes_any_value_survives_encoding(pairs: dict[str, str]) -> None:
    """Whatever is percent-encoded as the specification says comes back as it was."""
    from urllib.parse import quote

    text = ",".join(f"{key}={quote(value, safe='')}" for key, value in pairs.items())
    assert Settings({"OTEL_RESOURCE_ATTRIBUTES": text})[v.RESOURCE_ATTRIBUTES] == pairs


@settings(deadline=None)  # machines that run tests are busy
@given(st.sampled_from(sorted(v.TABLE)), st.text(max_size=30))
def test_any_text_is_a_value_or_a_configuration_error(name: str, raw: str) -> None:
    """No text makes reading fail in any other way."""
    try:
        settings = Settings({name: raw})
    except ConfigurationError as error:
        assert error.name == name  # noqa: PT017 - either outcome is right
    else:
        assert len(list(settings)) == len(v.TABLE)


def test_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `environ` the process's own variables count."""
    for name, value in PROMETHEUS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    telemetry = configure()
    assert {s.name: s.value for s in telemetry.settings}["OTEL_SERVICE_NAME"] == "mine"
    assert os.environ["OTEL_SERVICE_NAME"] == "mine"


def test_configuration_file_decides_alone(tmp_path: Path) -> None:
    """OTEL_CONFIG_FILE sets providers, resource and identity up; the rest is not looked at."""
    file = tmp_path / "otel.yaml"
    file.write_text(
        """
file_format: "1.0"
resource:
  attributes:
    - {name: service.name, value: from-file}
    - {name: qudag.node.id, value: file-node}
tracer_provider:
  processors:
    - batch: {exporter: {console: {}}}
  sampler: {always_off: {}}
""",
        encoding="utf-8",
    )
    telemetry = configure(environ={"OTEL_CONFIG_FILE": str(file)})
    provider = trace.get_tracer_provider()
    assert provider.resource.attributes["service.name"] == "from-file"  # type: ignore[attr-defined]  # the SDK's
    assert not trace.get_tracer("t").start_span("s").is_recording()
    assert identity.node_id() == "file-node"
    assert telemetry.shutdown()


def test_configuration_file_names_functions(tmp_path: Path) -> None:
    """They are instrumented by the instrumentor that the file asks for."""
    file = tmp_path / "otel.yaml"
    file.write_text(
        """
file_format: "1.0"
instrumentation/development:
  python:
    qudag-functions: {functions: ["colorsys:rgb_to_yiq"]}
""",
        encoding="utf-8",
    )
    try:
        assert configure(environ={"OTEL_CONFIG_FILE": str(file)}).shutdown()
        module = importlib.import_module("colorsys")
        assert module.rgb_to_yiq.__wrapped__(0, 0, 0) == module.rgb_to_yiq(0, 0, 0)
    finally:
        sys.modules.pop("colorsys", None)


def test_configuration_file_malformed_is_answered(tmp_path: Path) -> None:
    """A file that is not of the schema names the variable and the file."""
    file = tmp_path / "otel.yaml"
    file.write_text("file_format: '1.0'\ntracer_provider: 7\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="OTEL_CONFIG_FILE") as caught:
        configure(environ={"OTEL_CONFIG_FILE": str(file)})
    assert caught.value.value == str(file)
