"""What importing and setting up loads: exporters only where they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sdk import programs

if TYPE_CHECKING:
    from pathlib import Path

SET_UP = (
    "from qudag_otel.sdk import configure; configure(prometheus_port=0, environ=dict("
    "OTEL_TRACES_EXPORTER='none', OTEL_METRICS_EXPORTER='{metrics}', OTEL_LOGS_EXPORTER='{logs}'))"
)
LISTING = """
    import sys
    {code}
    heavy = ("grpc", "requests", "google.protobuf", "http.server", "prometheus_client", "yaml",
             "opentelemetry.exporter")
    print(sorted(name for name in heavy if name in sys.modules))
"""


@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        ("import qudag_otel.sdk", []),
        (
            (
                "from qudag_otel.sdk import configure; configure(traces_exporter='none',"
                " metrics_exporter='none', logs_exporter='none')"
            ),
            [],
        ),
        (
            (
                "from qudag_otel.sdk import configure; configure(traces_exporter='none',"
                " metrics_exporter='prometheus', prometheus_port=0, logs_exporter='console')"
            ),
            ["http.server"],
        ),
    ],
)
def test_import_and_set_up_load_no_exporter_that_is_not_used(
    tmp_path: Path, code: str, loaded: list[str]
) -> None:
    """Neither gRPC nor its like is loaded unless its exporter is chosen."""
    out, _ = programs.run(tmp_path, LISTING.format(code=code), {})
    assert out.strip() == str(loaded)


def test_set_up_over_http_does_not_load_grpc(tmp_path: Path) -> None:
    """One protocol does not bring the other."""
    code = "from qudag_otel.sdk import configure; configure().shutdown(0.1)"
    out, _ = programs.run(
        tmp_path,
        LISTING.format(code=code),
        {
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
            "OTEL_METRICS_EXPORTER": "none",
        },
    )
    assert "'grpc'" not in out
    assert "'requests'" in out


def test_sub_interpreter_is_refused_and_decorated_code_runs(tmp_path: Path) -> None:
    """The set-up says what to do, instead of failing inside of the SDK."""
    out, _ = programs.run(
        tmp_path,
        '''
        import importlib.util, sys
        name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
        interpreters = importlib.import_module(name)
        interpreter = interpreters.create()
        interpreters.run_string(interpreter, """if True:
            import qudag_otel

            @qudag_otel.instrumented
            def double(number):
                return 2 * number

            print(double(21))
            try:
                qudag_otel.configure()
            except ValueError as error:
                print(error, flush=True)
        """)
        interpreters.destroy(interpreter)
        ''',
        {},
    )
    assert out.splitlines() == [
        "42",
        (
            "interpreter=a sub-interpreter: its telemetry cannot be exported from it. "
            "Call configure() in the main one; decorated functions run unchanged here."
        ),
    ]


@pytest.mark.parametrize(
    ("propagators", "told"), [("b3", "OTEL_PROPAGATORS=b3: unknown"), ("tracecontext,", "set up")]
)
def test_propagators_that_are_not_there_break_no_import(
    tmp_path: Path, propagators: str, told: str
) -> None:
    """Decorated and carried code runs with the default ones; configure() names the mistake."""
    out, _ = programs.run(
        tmp_path,
        """
        from qudag_otel import carry_context, configure, instrumented
        from qudag_otel.propagation import incoming, outgoing
        from qudag_otel.sdk import reset

        @instrumented
        def double(number):
            return 2 * number

        with incoming({"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}):
            print(double(21), carry_context(double)(4), outgoing()["traceparent"][:35])
        try:
            configure()
            print("set up")
        except ValueError as error:
            print(error)
        reset()
        """,
        {
            "OTEL_PROPAGATORS": propagators,
            **{f"OTEL_{one}_EXPORTER": "none" for one in ("TRACES", "METRICS", "LOGS")},
        },
    )
    first, second = out.splitlines()
    assert first == f"42 8 00-{'1' * 32}"
    assert second.startswith(told)
