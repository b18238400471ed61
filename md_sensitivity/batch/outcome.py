"""What became of one structure of a run, and the exit code of all of them together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from md_sensitivity.analysis.result import ResultDocument

OK, INTERNAL, USAGE, INPUT, FAILED, STRICT, DEVICE, SELF_CHECK = range(8)
"""Exit codes of the command line (docs/reference.md)."""
PRECEDENCE = (INTERNAL, DEVICE, INPUT, USAGE, FAILED, SELF_CHECK, STRICT, OK)
"""Where several apply, the first of these is the exit code."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one structure.

    Attributes:
        name: name of its folder; the file's own name where the file was rejected.
        path: the structure file as given.
        place: where that file stands among all files, those of other shards included; the first is 0.
        status: `minimum`, `unconverged`, `not-a-minimum` or `failed`, as in its result; `rejected` where there is no result.
        code: exit code of its failure, 0 where there is none.
        message: why it failed or was rejected; "" otherwise.
        seconds: wall time.
        kept: whether a result of an earlier run was kept.
        sha256: of the structure file, "" where it could not be read.
        document: content of its `result.json`; None where it was rejected.
        traceback: of an internal error, "" otherwise.
    """

    name: str
    path: str
    status: str
    place: int = 0
    code: int = OK
    message: str = ""
    seconds: float = 0.0
    kept: bool = False
    sha256: str = ""
    document: ResultDocument | None = None
    traceback: str = ""


@dataclass(frozen=True, kw_only=True)
class Documented:
    """Name and document of a result: all that tables and summaries need."""

    name: str
    document: ResultDocument


def documented(outcomes: Iterable[Outcome]) -> list[Documented]:
    """The outcomes that have a result."""
    return [Documented(name=each.name, document=each.document) for each in outcomes if each.document is not None]


def outcome_code(outcome: Outcome, *, strict: bool) -> int:
    """Exit code that one structure alone would give.

    A failed certificate counts where there is a minimum: elsewhere the status has said already that the derivatives are not to be trusted.
    """
    if outcome.code:
        return outcome.code
    if outcome.status == "failed":
        return FAILED
    if outcome.status == "minimum":
        certificate = outcome.document.certificate if outcome.document is not None else None
        return SELF_CHECK if certificate is not None and not certificate.passed else OK
    return STRICT if strict else OK


def exit_code(outcomes: Iterable[Outcome], *, strict: bool) -> int:
    """Exit code of a run."""
    codes = {outcome_code(outcome, strict=strict) for outcome in outcomes}
    return next((code for code in PRECEDENCE if code in codes), OK)
