"""The server of this home: which scenarios, where their releases and logs lie, and who is let in."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from flows import settings
from flows.serving_champions import Opening, wanted_scenarios
from polyloom.cores import cores
from polyloom.home import home
from polyloom.progress import SILENT, Progress
from releases.serving.access import Access
from releases.serving.actions import ACTIONS
from releases.serving.champion import Champion
from releases.serving.feedback import Feedback
from releases.serving.intake import Intake
from releases.serving.known import known
from releases.serving.limits import Limits
from releases.serving.loopback import check_binding, check_host, check_origin, is_loopback
from releases.serving.metrics import Metrics
from releases.serving.prediction_log import PredictionLog
from releases.serving.priority import compute_behind_others
from releases.serving.rate_limits import RateLimits
from releases.serving.refusal import REASONS
from releases.serving.routes import TEMPLATES
from releases.serving.server_log import ServerLog
from releases.serving.service import Parts, Service
from releases.serving.tokens import TokenStore
from releases.serving.traces import tracer
from retrieval.exploring.exposure_log import ExposureLog

OPENED_AT_ONCE = 4
AT_ONCE = 2
"""Two batches at once, each with half of the cores, get more done than one with all: not all of it is arithmetic."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a person asks of a server. `names` are `SCENARIO[@ALIAS]`; none are all that have a champion.

    `batches` run at once for each scenario, and of each encoder the embeddings of so many texts are remembered. `hosts`
    are names by which an open server may be called beside those of this machine, such as a proxy's.
    """

    names: Sequence[str] = ()
    host: str = "127.0.0.1"
    is_open: bool = False
    log_file: Path | None = None
    hosts: Sequence[str] = ()
    origins: Sequence[str] = ()
    is_logged: bool = True
    is_masked: bool = True
    keep_days: int = 30
    limits: Limits = field(default_factory=Limits)
    batches: int = field(default_factory=lambda: min(AT_ONCE, cores()))
    remember: int = 10_000
    poll_seconds: float = 1.0


def open_service(options: Options, *, progress: Progress = SILENT) -> Service:
    """Open the champions and everything around them. Raises: RequestError for what cannot be served."""
    settings.apply()
    store = token_store(options)
    # Beyond this machine there were tokens at the start, and a file that is gone must open nothing.
    access = Access(store, limits=RateLimits(options.limits.per_minute), until_first=is_loopback(options.host))
    wanted = wanted_scenarios(options.names)
    names = known(routes=TEMPLATES, scenarios=wanted, actions=ACTIONS, reasons=REASONS)
    log, metrics = ServerLog(options.log_file, known=names), Metrics(names)
    intake = Intake(mode="mask" if options.is_masked else "unmasked_unstored", key=home() / "serving" / "user.key")
    predictions = PredictionLog(home() / "predictions" if options.is_logged else None, keep_days=options.keep_days)
    opening = Opening(
        limits=options.limits,
        intake=intake,
        poll_seconds=options.poll_seconds,
        moved=moved(log, metrics),
        threads=max(1, cores() // options.batches),
        remember=options.remember,
    )
    champions = opened(wanted, opening, progress)
    return Service(
        Parts(
            champions=champions,
            access=access,
            limits=options.limits,
            metrics=metrics,
            log=log,
            tracer=tracer(names),
            threads=options.batches,
            keeping=predictions,
            feedback=Feedback(
                folder=home() / "feedback",
                predictions=predictions,
                exposures=lambda scenario: ExposureLog(home() / "exposures" / scenario),
            ),
            explorer=opening.explorer,
            check_caller=callers_of_open(options.hosts),
        )
    )


def token_store(options: Options) -> TokenStore | None:
    """Who is let in: those with a token, as soon as there is one; None for a server that never asks.

    Raises: RequestError for one that others could reach.
    """
    store = TokenStore(home() / "serving" / "tokens.json")
    is_open = options.is_open or not store.all()
    check_binding(options.host, is_open=is_open)
    return None if options.is_open else store


def opened(wanted: Mapping[str, str], opening: Opening, progress: Progress) -> dict[str, Champion]:
    """The champions by scenario, several opened at once."""
    with (
        progress.stage("open releases", total=len(wanted), unit="releases") as bar,
        # What a thread opens computes in threads that come from it.
        ThreadPoolExecutor(OPENED_AT_ONCE, initializer=compute_behind_others) as pool,
    ):
        found = {}
        for champion in pool.map(opening.champion, wanted, wanted.values()):
            found[champion.scenario] = champion
            bar.advance()
        return found


def moved(log: ServerLog, metrics: Metrics) -> Callable[[Champion, bool], None]:
    """What is told of a switch."""

    def tell(champion: Champion, is_done: bool) -> None:  # noqa: FBT001  (a callback)
        served = champion.served
        metrics.switched(champion.scenario, ok=is_done)
        metrics.released(champion.scenario, served.version, served.digest)
        log.event(
            "switched" if is_done else "switch_failed",
            level="info" if is_done else "error",
            scenario=champion.scenario,
            version=served.version,
            release=served.digest,
        )

    return tell


def callers_of_open(hosts: Sequence[str]) -> Callable[[str | None, str | None], None]:
    """An open server answers to what was meant for this machine, and to no page of another site."""

    def check(host: str | None, origin: str | None) -> None:
        check_host(host, hosts)
        check_origin(origin, hosts)

    return check
