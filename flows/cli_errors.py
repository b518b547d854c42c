"""Errors at the command line: what polyloom raised on purpose is one message and an exit code, never a trace."""

import os
import sys
import traceback
from pathlib import Path
from typing import Any

import click

from polyloom.errors import PolyloomError
from polyloom.home import home

INTERRUPTED = 130


class Guarded(click.Group):
    """A group whose commands end with a message: 1 the work failed, 2 the request was wrong, 3 the gate refused."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an unforeseen error leaves its trace in a log that the message names."""
        try:
            return super().invoke(ctx)
        except PolyloomError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(error.exit_code)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo("interrupted; the same command goes on where this one stopped", err=True)
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            # Whoever read the output has seen enough, such as `head`; what is left in the buffer goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        except Exception as error:  # noqa: BLE001 - the last resort of the program
            click.echo(f"error: unforeseen {type(error).__name__}: {error}\nThe trace is in {keep_trace()}.", err=True)
            sys.exit(1)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command for one that does not exist."""
        from polyloom.errors import suggestion

        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = suggestion(args[0], self.list_commands(ctx))
            raise click.UsageError(f"{error.message}{near}", ctx) from error


def keep_trace() -> Path:
    """Write the current trace to a log and return its path."""
    path = home() / "logs" / "last-error.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(traceback.format_exc(), encoding="utf-8")
    return path
