"""What can go wrong, one class per kind of remedy.

Each class carries the exit code of the command line (docs/reference.md), so that the mapping from failures to codes stands in
one place. A message says what was wrong, where, and what to do.
"""

from __future__ import annotations


class MdSensitivityError(Exception):
    """Base of all errors that this package raises on purpose."""

    exit_code = 1


class UsageError(MdSensitivityError):
    """The request itself makes no sense (an unknown observable, an option that contradicts another)."""

    exit_code = 2


class InputError(MdSensitivityError):
    """A structure, force-field or study file was rejected; the message names file, place and reason."""

    exit_code = 3


class ComputationError(MdSensitivityError):
    """A computation on valid input failed (divergence, a solver that did not converge)."""

    exit_code = 4


class ConvergenceError(ComputationError):
    """An iterative method stopped before its tolerance; the message names the tolerance reached and the remedy."""


class NotAMinimumError(ComputationError):
    """The stationary point has a negative curvature, so that no stable equilibrium is differentiated."""


class PrecisionError(MdSensitivityError):
    """Derivatives were asked for in single precision; enable 64-bit floats."""

    exit_code = 2


class DeviceError(MdSensitivityError):
    """The requested device is not there, or its memory does not suffice."""

    exit_code = 6


class SelfCheckError(MdSensitivityError):
    """A certificate, `verify` or `doctor` found a discrepancy."""

    exit_code = 7
