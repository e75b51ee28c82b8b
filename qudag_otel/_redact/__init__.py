"""The one redactor: what looks like a secret leaves the process masked, wherever it stands.

`names` knows secrets by what they are called, `shapes` by how they look, `texts` finds both in
any text, `values` in anything else. All of it works on what the application made, so nothing here
raises, the time is linear in the text, and no text is longer than `texts.LIMIT`.
"""

from __future__ import annotations

from qudag_otel._redact import texts
from qudag_otel._redact.names import Verdict, verdict
from qudag_otel._redact.texts import MASK, learn, mask, valid
from qudag_otel._redact.values import attribute, attributes, exportable, rendered, safe_text

__all__ = [
    "MASK",
    "Verdict",
    "attribute",
    "attributes",
    "exportable",
    "learn",
    "mask",
    "rendered",
    "safe_text",
    "texts",
    "valid",
    "verdict",
]
