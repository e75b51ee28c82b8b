"""What one record takes, in CPU seconds and bytes. Written by `make bench-pipeline`."""

from __future__ import annotations

from typing import Any, Final

MEASURED: Final[dict[str, Any]] = {
    "conditions": (
        "Prometheus 3.16.0, Collector 0.159.0, Jaeger (module) 1.76.0, VictoriaLogs "
        "1.52.1, telemetrygen 0.161.0; Linux x86_64, AMD EPYC, 2 cores"
    ),
    "cpu": {
        "agent": {
            "spans": 8.99e-05,
            "points": 5.12e-05,
            "logs": 6.05e-05,
        },
        "gateway": {
            "spans": 9.7e-05,
            "points": 5.87e-05,
            "logs": 6.07e-05,
            "kept": 0.000247,
        },
        "store": {
            "spans": 0.000353,
            "points": 1.04e-05,
            "logs": 5.32e-06,
        },
    },
    "disk": {
        "points": 1.69,
        "series": 128.0,
        "spans": 309.0,
        "wal": 29.8,
        "logs": 1.98,
    },
    "queue": {
        "spans": 401.0,
        "points": 68.5,
        "logs": 64.9,
    },
    "memory": {
        "gateway": 46800000.0,
        "span": 1290.0,
        "agent": 57800000.0,
        "jaeger": 198000000.0,
        "prometheus": 62300000.0,
        "series": 1900.0,
        "victorialogs": 60100000.0,
    },
}
