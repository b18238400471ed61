"""`result.json`: the document of a result, pretty-printed, numbers with full precision."""

from __future__ import annotations

import msgspec

from md_sensitivity.analysis.result import Result


def result_json(result: Result) -> bytes:
    """The document as indented JSON; the same document gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(result.document), indent=2) + b"\n"
