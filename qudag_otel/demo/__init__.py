"""A small but real QuDAG-like network under load, watched with this product's public API only.

`_watched` is the only module that knows of telemetry; the others are the network itself.
"""
