"""`polyloom tokens`: who may ask a server that `polyloom serve` runs, and what."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from flows.cli_errors import Guarded
from flows.cli_options import AS_JSON
from flows.cli_output import emit, table

if TYPE_CHECKING:
    from releases.serving.token import Issued, Token
    from releases.serving.tokens import TokenStore

ID = click.argument("token_id", metavar="ID")


@click.group(cls=Guarded, invoke_without_command=True)
@AS_JSON
@click.pass_context
def tokens(context: click.Context, *, as_json: bool) -> None:
    """List access tokens, or make, replace and revoke one."""
    if context.invoked_subcommand is not None:
        return
    rows = [facts(token) for token in store().all()]
    if as_json:
        emit(rows)
    elif rows:
        shown = [
            {
                **row,
                **{name: ", ".join(row[name]) or "all" for name in ("scopes", "scenarios")},
                "expires": (row["expires"] or "never")[:10],
            }
            for row in rows
        ]
        table(shown, title="Access tokens", columns=["id", "name", "scopes", "scenarios", "expires", "state"])
    else:
        click.echo("There is no access token. Next: polyloom tokens create NAME --scope predict --scope search")


@tokens.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, help="What it may ask, such as predict; or all.")
@click.option("--scenario", "scenarios", multiple=True, help="A scenario that it may ask; without it, every one.")
@click.option("--days", type=int, default=90, show_default=True, help="How long it counts.")
@click.option("--no-expiry", is_flag=True, help="It counts until it is revoked.")
@click.option("--per-minute", type=int, help="How many requests it may send; without it, what the server allows.")
@AS_JSON
def create_token(
    name: str,
    scopes: Sequence[str],
    scenarios: Sequence[str],
    days: int,
    per_minute: int | None,
    *,
    no_expiry: bool,
    as_json: bool,
) -> None:
    """Make a token for NAME, who will hold it. Its secret is shown this once."""
    from releases.serving.token import SCOPES

    issued = store().create(
        name,
        scopes=SCOPES if "all" in scopes else scopes,
        scenarios=scenarios,
        days=None if no_expiry else days,
        per_minute=per_minute,
    )
    show_secret(issued, as_json=as_json)


@tokens.command("revoke")
@ID
@AS_JSON
def revoke_token(token_id: str, *, as_json: bool) -> None:
    """Let token ID count no more; running servers refuse it from the next request on."""
    token = store().revoke(token_id)
    emit(facts(token)) if as_json else click.echo(f"Token {token.id} ({token.name}) is revoked.")


@tokens.command("rotate")
@ID
@click.option(
    "--grace-hours", type=float, default=24, show_default=True, help="How long the secret before counts; 0 ends it now."
)
@AS_JSON
def rotate_token(token_id: str, grace_hours: float, *, as_json: bool) -> None:
    """Give token ID a new secret, shown this once, and as many days as it was made for."""
    show_secret(store().rotate(token_id, grace_hours=grace_hours), as_json=as_json)


def store() -> "TokenStore":
    """The tokens of this state folder."""
    from polyloom.home import home
    from releases.serving.tokens import TokenStore

    return TokenStore(home() / "serving" / "tokens.json")


def facts(token: "Token") -> dict[str, Any]:
    """What may be shown of a token; times as ISO text."""
    from releases.serving.tokens import utc_now

    known = token.known()
    times = {name: one.isoformat(timespec="seconds") for name, one in known.items() if hasattr(one, "isoformat")}
    return {**known, **times, "state": token.state(utc_now())}


def show_secret(issued: "Issued", *, as_json: bool) -> None:
    """A new secret, with what to do with it."""
    found = facts(issued.token)
    if as_json:
        emit({**found, "secret": issued.secret})
        return
    click.echo(issued.secret)
    until = f"until {found['expires']}" if found["expires"] else "until it is revoked"
    where = ", ".join(found["scenarios"]) or "every scenario"
    click.echo(f"token     {found['id']} ({found['name']}): {', '.join(found['scopes'])} on {where}, {until}.")
    if found["state"] == "rotating":
        click.echo(f"before    The secret before counts until {found['former_until']}.")
    click.echo("keep it   It is shown this once. Send it as the header: Authorization: Bearer plm_...", err=True)
