"""The command `md-sensitivity`, and `python -m md_sensitivity`."""

import os
import sys

from md_sensitivity.startup import EXIT_CODES, end_on_signals, ignore_signals


def run() -> int:
    """Run the command line of this process; returns the exit code."""
    end_on_signals()
    from md_sensitivity.cli import main  # after that, so that a signal during the imports gets no traceback

    code = main()
    ignore_signals()
    if code in EXIT_CODES.values():  # compiled code may be at work in other threads, and would crash while Python clears up
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(run())
