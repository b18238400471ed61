"""The command `md-sensitivity`, and `python -m md_sensitivity`."""

import sys

from md_sensitivity.startup import end_on_signals


def run() -> int:
    """Run the command line of this process; returns the exit code."""
    end_on_signals()
    from md_sensitivity.cli import main  # after that, so that a signal during the imports gets no traceback

    return main()


if __name__ == "__main__":
    sys.exit(run())
