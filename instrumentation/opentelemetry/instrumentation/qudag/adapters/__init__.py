"""Instrumentors for libraries in daily use: their pools, caches, queues and tasks, as metrics.

One module a library, each with an instrumentor that `opentelemetry-instrument` finds:
`Instrumentor().instrument()` watches what is made from then on, `watch(object)` what is there.
"""
