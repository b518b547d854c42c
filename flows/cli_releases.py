"""The commands about releases: what there is, who decided what, and to decide."""

from typing import Any

import click

from flows.cli_options import AS_JSON, SCENARIO
from flows.cli_output import emit, table

WHY = click.option("--why", default="asked for on the command line", help="Kept in the ledger.")
BY = click.option("--by", "who", required=True, metavar="NAME", help="Who decides; kept in the ledger.")
REASON = click.option("--why", required=True, metavar="TEXT", help="The reason; kept in the ledger.")
TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


@click.command()
@SCENARIO
@click.option("--delete", "doomed", metavar="VERSION", help="Delete a release that nothing needs.")
@click.option("--yes", "is_sure", is_flag=True, help="Delete one that is previous or has a name of its own, too.")
@WHY
@AS_JSON
def releases(scenario: str, doomed: str | None, why: str, *, is_sure: bool, as_json: bool) -> None:
    """List a scenario's releases, newest first; or delete one."""
    from flows.releasing import delete_release, release_rows

    if doomed is not None:
        facts = delete_release(scenario, doomed, why=why, is_sure=is_sure)
        kept = f"removed {facts['removed']}" if facts["removed"] else "its files stay: another release has them"
        emit(facts) if as_json else click.echo(f"{facts['scenario']}/{doomed} is deleted; {kept}.")
        return
    rows = release_rows(scenario)
    emit(rows) if as_json else table(rows, title=scenario, columns=["version", "aliases", "digest", "created", "run"])


@click.command()
@SCENARIO
@click.argument("version")
@WHY
def promote(scenario: str, version: str, why: str) -> None:
    """Make VERSION the champion, without the gate; the ledger keeps who, when and why."""
    from flows.releasing import promote_release

    click.echo(promote_release(scenario, version, why=why))


@click.command()
@SCENARIO
@WHY
def rollback(scenario: str, why: str) -> None:
    """Make the previous champion champion again: model and index together."""
    from flows.releasing import rollback_release

    click.echo(rollback_release(scenario, why=why))


@click.command()
@SCENARIO
@click.argument("version")
@BY
@REASON
def approve(scenario: str, version: str, who: str, why: str) -> None:
    """Make VERSION, which passed the gate and waits for a person, the champion."""
    from flows.releasing import approve_release

    click.echo(approve_release(scenario, version, who=who, why=why))


@click.command()
@SCENARIO
@click.argument("version")
@BY
@REASON
def refuse(scenario: str, version: str, who: str, why: str) -> None:
    """End the waiting of VERSION; the champion stays."""
    from flows.releasing import refuse_release

    click.echo(refuse_release(scenario, version, who=who, why=why))


@click.command()
@SCENARIO
@click.option("--at", type=click.DateTime(TIMES), help="Who was champion then? Local time, unless it has a zone.")
@click.option("--steps", "has_steps", is_flag=True, help="Also what was registered, judged and turned down.")
@click.option("--verify", "is_check", is_flag=True, help="Verify the ledger, and hold the registry against it.")
@AS_JSON
def history(scenario: str, at: Any, *, has_steps: bool, is_check: bool, as_json: bool) -> None:
    """Show from the ledger who decided what of a scenario's releases."""
    from flows.releasing import history_rows

    if is_check:
        verify(scenario, as_json=as_json)
        return
    rows = history_rows(scenario, at=at, has_steps=has_steps)
    columns = ["at", "action", "alias", "version", "against", "outcome", "who", "why"]
    if at is not None and not rows and not as_json:
        click.echo(f"{scenario}: nobody was champion at {at}.")
        return
    emit(rows) if as_json else table(rows, title=scenario, columns=columns)


def verify(scenario: str, *, as_json: bool) -> None:
    """Say whether ledger and registry agree; exit code 1 when not."""
    from flows.releasing import checked_history

    facts = checked_history(scenario)
    if as_json:
        emit(facts)
    else:
        click.echo(f"{facts['scenario']}: {facts['lines']} lines of the ledger verified.")
        for one in facts["disagreements"]:
            click.echo(
                f"{one['alias']}: the ledger says {one['ledger'] or 'none'}, the registry {one['registry'] or 'none'}. "
                f"{one['cure']}"
            )
        if not facts["disagreements"]:
            click.echo("Every alias stands where the ledger says.")
    if facts["disagreements"]:
        raise click.exceptions.Exit(1)


RELEASE_COMMANDS = (releases, promote, rollback, approve, refuse, history)
