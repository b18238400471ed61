"""The command line, and nothing else: what it does lives in the packages that it calls. Nothing imports this package.

Importing it imports Click and no more; commands import what they need when they run.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from md_sensitivity import __version__
from md_sensitivity.cli import signals
from md_sensitivity.cli.analyze import analyze
from md_sensitivity.cli.config import blamed
from md_sensitivity.cli.console import complain
from md_sensitivity.cli.doctor import doctor
from md_sensitivity.cli.fit import fit
from md_sensitivity.cli.init import init
from md_sensitivity.cli.listing import list_parts
from md_sensitivity.cli.minimize import minimize
from md_sensitivity.cli.parameters import parameters
from md_sensitivity.cli.report import report
from md_sensitivity.cli.show import show
from md_sensitivity.cli.verify import verify
from md_sensitivity.errors import MdSensitivityError, UsageError

PROGRAM = "md-sensitivity"
INTERNAL_ERROR, DEVICE_ERROR, BROKEN_PIPE = 1, 6, 141


class InOrder(click.Group):
    """Lists its commands in the order of the work, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, "--version", prog_name=PROGRAM, message="%(prog)s %(version)s")
def group() -> None:
    """Exact derivatives of minimum-energy structures with respect to force-field parameters.

    \b
    md-sensitivity analyze STRUCTURE -f FORCE_FIELD -o DIR     the main job
    md-sensitivity init NAME                                   an example to start from
    md-sensitivity COMMAND --help                              all options

    Exit codes: 0 ok, 1 internal error, 2 usage, 3 input rejected, 4 some structures failed, 5 not a minimum (--strict),
    6 device or memory, 7 a self-check failed, 130 interrupted, 143 terminated, 138 stopped by SIGUSR1.
    """


for _command in (analyze, minimize, verify, fit, report, show, parameters, list_parts, init, doctor):
    group.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: words of the command line; by default those of this process.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace" if stream is sys.stdout else "backslashreplace")
    try:
        with signals.raised():
            code = _run(words)
            sys.stdout.flush()
        return code
    except click.exceptions.Exit as error:  # --help, --version
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except MdSensitivityError as error:
        complain(str(error))
        return error.exit_code
    except signals.Interrupted as error:
        complain(str(error))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        complain("interrupted")
        return signals.INTERRUPTED
    except BrokenPipeError:  # whoever read our stdout has gone; there is nobody left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except MemoryError:
        complain("out of memory")
        return DEVICE_ERROR
    except Exception:  # the outermost edge: a bug, told with its traceback
        traceback.print_exc()
        complain("this is a bug in md-sensitivity; please report it with the traceback above")
        return INTERNAL_ERROR


def _run(words: list[str]) -> int:
    """Parse and do; what goes wrong passes through, where Click's own `main` would end the process in its way."""
    if "_MD_SENSITIVITY_COMPLETE" in os.environ:  # a shell asks for completions
        group.main(args=words, prog_name=PROGRAM)
    remembered: dict[str, Any] = {"arguments": list(words)}
    try:
        with group.make_context(PROGRAM, words, obj=remembered) as ctx:
            return int(group.invoke(ctx) or 0)
    except (UsageError, click.UsageError) as error:
        message = error.format_message() if isinstance(error, click.UsageError) else str(error)
        raise blamed(remembered.get("study"), message) or error from None
