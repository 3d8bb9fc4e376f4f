"""The command line: `gatework COMMAND …`."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from io import TextIOWrapper

import click

from gatework.errors import GateworkError

COMMANDS = ("compare", "search", "predict", "report", "cells", "show", "bench", "doctor")
"""The subcommands, each in the file of its name."""

USAGE, INTERRUPTED = 2, 130
"""Exit codes: wrong usage or data, and interrupted by the user."""


class _Commands(click.Group):
    """Subcommands are imported when they are asked for: `gatework cells` does not wait for torch."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found = getattr(importlib.import_module(f"gatework.cli.{cmd_name}"), cmd_name)
        assert isinstance(found, click.Command)
        return found


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("gatework"), prog_name="gatework")
def cli() -> None:
    """Which recurrent cell forecasts your data best, at what cost, or that none does."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 wrong usage or data, 130 interrupted."""
    sys.exit(status(arguments))


def status(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; what goes wrong for a reason is told in one sentence on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no "±" shows "?"
    try:
        result = cli.main(arguments, prog_name="gatework", standalone_mode=False)
    except GateworkError as error:
        return _refuse(str(error))
    except click.Abort:
        return _interrupted(arguments)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "gatework"
        return _refuse(f"{error.format_message().rstrip('.')}: `{where} --help` says what there is")
    except click.ClickException as error:
        return _refuse(error.format_message())
    except KeyboardInterrupt:
        return _interrupted(arguments)
    except BrokenPipeError:
        # Whoever read the output has gone, as `head` does: there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        name = f"{str(error.filename)[:80]}: " if error.filename else ""
        return _refuse(f"{name}{error.strerror or error}; choose another file or folder")
    return result if isinstance(result, int) else 0


def _refuse(sentence: str) -> int:
    words = " ".join(sentence.split())
    click.echo(f"gatework: {words}{'' if words.endswith(('.', '?', '!')) else '.'}", err=True)
    return USAGE


def _interrupted(arguments: Sequence[str] | None) -> int:
    command = next((one for one in (sys.argv[1:] if arguments is None else arguments) if not one.startswith("-")), "")
    more = ": the same command goes on where it stopped" if command in ("compare", "search") else ""
    click.echo(f"gatework: Interrupted{more}.", err=True)
    return INTERRUPTED
