"""`polyloom serve`: champions behind an API."""

import re
import resource
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from flows.cli_options import AS_JSON
from flows.cli_output import emit
from flows.serving_record import forgotten_at_the_end, note_server
from polyloom.errors import RequestError

AT_LEAST_ONE = click.IntRange(min=1)
SECONDS = click.FloatRange(min=0, min_open=True)


@click.command()
@click.argument("scenarios", nargs=-1)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Where to listen; elsewhere than here with tokens."
)
@click.option("--port", default=8000, show_default=True, help="Which port; 0 for any that is free.")
@click.option("--open", "is_open", is_flag=True, help="Ask nobody for a token; on this machine alone.")
@click.option("--tls-cert", "certificate", type=click.Path(path_type=Path), help="A certificate, PEM: serve HTTPS.")
@click.option("--tls-key", "private_key", type=click.Path(path_type=Path), help="Its key, PEM.")
@click.option("--allow-origin", "origins", multiple=True, metavar="URL", help="A site whose pages may ask (CORS).")
@click.option(
    "--allow-host", "hosts", multiple=True, metavar="NAME", help="A name that a proxy calls an open server by."
)
@click.option("--log-file", type=click.Path(path_type=Path), help="Where the log goes, instead of stderr.")
@click.option(
    "--per-minute",
    type=AT_LEAST_ONE,
    default=60_000,
    show_default=True,
    help="Requests a minute for each token or address.",
)
@click.option(
    "--under-way", type=AT_LEAST_ONE, default=40, show_default=True, help="Requests of each scenario at once."
)
@click.option(
    "--wait-seconds", type=SECONDS, default=5.0, show_default=True, help="How long one may be expected to wait."
)
@click.option(
    "--answer-seconds", type=SECONDS, default=30.0, show_default=True, help="After how long a request is given up."
)
@click.option("--rows", type=AT_LEAST_ONE, default=64, show_default=True, help="Rows in one request, and in one batch.")
@click.option(
    "--batches", type=AT_LEAST_ONE, help="Batches that each scenario answers at once. Default: 2, if there are cores."
)
@click.option(
    "--remember",
    type=click.IntRange(min=0),
    default=10_000,
    show_default=True,
    help="Texts whose embeddings are kept; 0 for none.",
)
@click.option("--no-log", is_flag=True, help="Keep no predictions; they cannot be replayed then.")
@click.option("--keep-days", default=30, show_default=True, help="How long predictions are kept.")
@click.option("--unmasked", is_flag=True, help="Show personal data to the model; what is kept is masked all the same.")
@AS_JSON
def serve(
    scenarios: Sequence[str],
    *,
    host: str,
    port: int,
    certificate: Path | None,
    private_key: Path | None,
    origins: Sequence[str],
    hosts: Sequence[str],
    log_file: Path | None,
    per_minute: int,
    under_way: int,
    wait_seconds: float,
    answer_seconds: float,
    rows: int,
    batches: int | None,
    remember: int,
    keep_days: int,
    is_open: bool,
    no_log: bool,
    unmasked: bool,
    as_json: bool,
) -> None:
    """Answer for SCENARIO[@ALIAS]... over HTTP, all that have a champion by default, until stopped."""
    from releases.serving.light_arrow import leave_pandas_out

    leave_pandas_out()
    from flows.serving import Options
    from releases.serving.limits import Limits

    if private_key is not None and certificate is None:
        raise RequestError("--tls-key is given without --tls-cert. Give both, or neither.")
    limits = Limits(
        under_way=under_way, wait_seconds=wait_seconds, answer_seconds=answer_seconds, rows=rows, per_minute=per_minute
    )
    options = Options(
        names=tuple(scenarios),
        host=host,
        is_open=is_open,
        log_file=log_file,
        hosts=tuple(hosts),
        origins=tuple(origins),
        limits=limits,
        remember=remember,
        keep_days=keep_days,
        is_logged=not no_log,
        is_masked=not unmasked,
        **({} if batches is None else {"batches": batches}),
    )
    run(options, port=port, certificate=certificate, private_key=private_key, as_json=as_json)


def run(options: Any, *, port: int, certificate: Path | None, private_key: Path | None, as_json: bool) -> None:
    """Open, listen, say where, and serve until the end."""
    from flows.serving import open_service

    # Opening releases is mostly the libraries' work, and lets Python read modules meanwhile.
    with ThreadPoolExecutor(1) as beside:
        beside.submit(import_module, "releases.serving.process")
        service = open_service(options)
    from releases.serving.app import create_app
    from releases.serving.client_limits import ClientLimits
    from releases.serving.process import Listening, Running, serve

    at = Listening(host=options.host, port=port, certificate=certificate, private_key=private_key)
    app = create_app(service, origins=options.origins)

    def ready(running: Running) -> None:
        note_server(running.url)
        emit(told(running.url, service)) if as_json else click.echo("\n".join(lines(running.url, service)))

    with suppress(KeyboardInterrupt), forgotten_at_the_end():
        serve(app, service, at=at, clients=ClientLimits(), ready=ready)


def told(url: str, service: Any) -> dict[str, Any]:
    """What a program is told."""
    scenarios = {name: service.described(name) for name in sorted(service.scenarios)}
    return {"url": url, "open": service.is_open, "memory_bytes": memory_bytes(), "scenarios": scenarios}


def memory_bytes() -> int:
    """The most memory that this process had.

    Linux counts into `ru_maxrss` what the process that started this one had; its own table leaves that out.
    """
    with suppress(OSError):
        found = re.search(rb"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_bytes())
        if found:
            return int(found[1]) << 10
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most << 10


def lines(url: str, service: Any) -> list[str]:
    """What a person is told."""
    who = "anybody on this machine" if service.is_open else "who has a token (polyloom tokens create NAME)"
    name = min(service.scenarios)
    return [
        f"serving   {', '.join(sorted(service.scenarios))} on {url}, to {who}",
        f"try       curl {url}/v1/{name}",
        f"schema    {url}/openapi.json   figures {url}/metrics",
        f"memory    {memory_bytes() >> 20} MiB   stop with Ctrl-C",
    ]
