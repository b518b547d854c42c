"""`polyloom bundle`: releases carried to and from other machines, held against their digests, and their room."""

from pathlib import Path
from typing import Any

import click

from flows.cli_errors import Guarded
from flows.cli_options import AS_JSON, SCENARIO
from flows.cli_output import emit, table
from flows.cli_snapshots import size

SHOWN_DIGITS = 12
PLACE = click.argument("file", type=click.Path(path_type=Path))


@click.group(cls=Guarded)
def bundle() -> None:
    """Carry releases to a machine without network, hold them against their digests, keep their room small."""


@bundle.command("export")
@SCENARIO
@PLACE
@click.option("--with-pictures", is_flag=True, help="The pictures of the items that the index shows go along.")
@AS_JSON
def export_bundle(scenario: str, file: Path, *, with_pictures: bool, as_json: bool) -> None:
    """Write the release SCENARIO[@ALIAS] to FILE.tar or FILE.tar.gz; the same release gives the same bytes."""
    from flows.carrying import export_release

    done = export_release(scenario, file, with_pictures=with_pictures)
    if as_json:
        emit(done)
        return
    pictures = f", {done['pictures']:,} pictures" if with_pictures else ""
    missing = f" ({done['pictures_missing']:,} are not here any more)" if done["pictures_missing"] else ""
    click.echo(f"Wrote {file}: {size(done['bytes'])}, {done['scenario']}/{done['version']}{pictures}{missing}.")
    click.echo(f"there     polyloom bundle import {file.name} --digest {done['digest']}")


@bundle.command("import")
@PLACE
@click.option("--alias", default="candidate", show_default=True, help="Such as champion, without the gate.")
@click.option("--digest", help="Refuse any other bundle than this one: all 64 digits, as `export` told them.")
@AS_JSON
def import_bundle(file: Path, alias: str, digest: str | None, *, as_json: bool) -> None:
    """Take a release in from FILE: every byte is checked, then it is registered as a new version."""
    from flows.carrying import import_release

    done = import_release(file, alias=alias, expected=digest)
    if as_json:
        emit(done)
        return
    name, version = done["scenario"], done["version"]
    told = "is" if done["status"] == "imported" else "was there already as"
    click.echo(f"{file} {told} {name}/{version}, {', '.join(done['aliases']) or 'without an alias'}.")
    click.echo(f"digest    {done['digest']}")
    if "champion" in done["aliases"]:
        click.echo(f"next      polyloom predict {name} --help    polyloom search {name} --help")
    else:
        click.echo(f"next      polyloom predict {name}@{version} --help    polyloom promote {name} {version}")


@bundle.command("verify")
@click.argument("given", metavar="SCENARIO|FOLDER|FILE")
@AS_JSON
def verify_given(given: str, *, as_json: bool) -> None:
    """Hold every byte of a release, a bundle's folder or an exported file against its digest."""
    from flows.bundles import verify_bundle

    done = verify_bundle(given)
    told = f"{given}: all {done['files']:,} files, {size(done['bytes'])}, are as they were sealed."
    emit(done) if as_json else click.echo(f"{told}\ndigest    {done['digest']}")


@bundle.command("show")
@click.argument("given", metavar="SCENARIO|FOLDER|FILE")
@AS_JSON
def show_given(given: str, *, as_json: bool) -> None:
    """List the files with sizes and hashes, and what other bundles hold of them."""
    from flows.bundles import show_bundle

    found = show_bundle(given)
    if as_json:
        emit(found)
        return
    rows = [
        {
            "file": one["file"],
            "bytes": f"{one['size']:,}",
            "sha256": one["sha256"][:SHOWN_DIGITS],
            "also in": ", ".join(one["also_in"]),
        }
        for one in found["files"]
    ]
    table(rows, title=f"{given}: {found['digest']}", columns=["file", "bytes", "sha256", "also in"])
    click.echo(f"sealed    {found['created']}")
    click.echo(
        f"bytes     {size(found['bytes'])}: {size(found['bytes_shared'])} in other bundles too, "
        f"{size(found['bytes_alone'])} in this one alone"
    )


@bundle.command("tidy")
@AS_JSON
def tidy_bundles(*, as_json: bool) -> None:
    """Make equal files of bundles one file, and remove what no bundle needs any more."""
    from flows.bundle_room import tidy
    from flows.console import console_progress

    done = tidy(progress=console_progress())
    if as_json:
        emit(done)
        return
    show_tidied(done)


def show_tidied(done: dict[str, Any]) -> None:
    """What a tidying did."""
    click.echo(
        f"Freed {size(done['bytes_freed'])}: {size(done['bytes_shared'])} that {done['bundles']:,} bundles had twice, "
        f"{done['objects_removed']:,} files and {done['left_removed']:,} folders that nothing needs."
    )
    for told in done["damaged"]:
        click.echo(f"damaged   {told}")
