"""The server on Ray Serve: a front without models, and behind it as many servers as are needed.

    serve run flows.ray_serving:build home=/srv/polyloom scenarios=shop,support max_replicas=8

Each replica opens the champions itself: paths and numbers go over, never models. See docs/serving-ray.md.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from polyloom.errors import RequestError
from polyloom.home import home
from releases.serving.buffered import Answered, App, Asked, answer_of
from releases.serving.limits import Limits

NAME = "polyloom"
MODELS, FRONT = "models", "front"
DRAIN_SECONDS = 30.0
OBJECT_STORE_BYTES = 100 << 20
# A front waits for others nearly all the time.
FRONT_CPUS = 0.1
# Requests that a server holds at once, for each that it should hold, and at least: what is batched must be there.
HELD = 4
LEAST_HELD = 8

# What Ray reads as it is imported: tell its makers nothing, listen on loopback, be patient with a slow machine.
LOCAL = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
}


class RaySettings(BaseModel):
    """What `serve run` takes as `key=value`. `scenarios` are separated by commas; none are all that have a champion.

    A server is added while each holds more than `requests_per_replica` requests, and taken away while fewer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(default_factory=home)
    tracking_uri: str | None = None
    scenarios: str = ""
    open: bool = False
    log_file: Path | None = None
    fronts: int = Field(default=1, ge=1)
    min_replicas: int = Field(default=1, ge=1)
    max_replicas: int = Field(default=4, ge=1)
    cpus_per_replica: float = Field(default=1.0, gt=0)
    requests_per_replica: float = Field(default=8.0, gt=0)
    more_after_seconds: float = Field(default=10.0, ge=0)
    fewer_after_seconds: float = Field(default=300.0, ge=0)
    batches: int = Field(default=1, ge=1)


class Models:
    """One server with models, as a Ray Serve deployment; the same application that `polyloom serve` runs."""

    def __init__(self, facts: dict[str, Any]) -> None:
        """Open the champions. Raises: RequestError for what cannot be served."""
        from flows.serving import open_service
        from releases.serving.app import create_app
        from releases.serving.quiet import quiet_libraries

        settings = RaySettings.model_validate(facts)
        os.environ["POLYLOOM_HOME"] = str(settings.home)
        if settings.tracking_uri is not None:
            os.environ["MLFLOW_TRACKING_URI"] = settings.tracking_uri
        self._service = open_service(options_of(settings))
        self._put_back = quiet_libraries(self._service.log)
        self._app: App = create_app(self._service)

    async def __call__(self, asked: Asked) -> Answered:
        """Answer one request."""
        return await answer_of(self._app, Asked(*asked))

    def check_health(self) -> None:
        """Raises: RuntimeError for a server that is to be replaced."""
        if not self._service.readiness()["ready"]:
            raise RuntimeError("the server is closing")

    def __del__(self) -> None:
        # Ray calls it once no request is left; a constructor that failed has nothing to close.
        if "_service" in vars(self):
            self._service.close()
            self._put_back()


class Entrance:
    """The front, as a Ray Serve deployment."""

    def __init__(self, models: Any, facts: dict[str, Any]) -> None:
        from releases.serving.known import Known
        from releases.serving.quiet import quiet_libraries
        from releases.serving.server_log import ServerLog

        settings = RaySettings.model_validate(facts)
        self._models = models
        self._is_open = settings.open
        self._log = ServerLog(settings.log_file, known=Known())
        self._put_back = quiet_libraries(self._log)

    def __serve_build_asgi_app__(self) -> App:
        """Ray Serve asks for the application by this name, where it runs."""
        from ray.exceptions import RayActorError
        from ray.serve.exceptions import BackPressureError

        from releases.serving.front import front

        return front(
            self._call,
            limits=Limits(),
            lost=(RayActorError,),
            busy=(BackPressureError,),
            is_open=self._is_open,
            told_lost=self._lost,
            told_failed=self._log.failure,
        )

    async def _call(self, asked: Asked) -> Answered:
        return Answered(*await self._models.remote(asked))

    def _lost(self, error: BaseException) -> None:
        self._log.event("server_lost", level="warning", error=type(error).__name__)

    def __del__(self) -> None:
        if "_log" in vars(self):
            self._put_back()
            self._log.close()


def build(settings: RaySettings) -> Any:
    """The application for `serve run` and for a configuration file. Raises: RequestError without the extra."""
    serve = ray_serve()
    facts = settings.model_dump(mode="json")
    silent = {"enable_access_log": False}
    models = serve.deployment(
        Models,
        name=MODELS,
        ray_actor_options={"num_cpus": settings.cpus_per_replica},
        logging_config=silent,
        max_ongoing_requests=max(LEAST_HELD, round(HELD * settings.requests_per_replica)),
        max_queued_requests=Limits().in_flight,
        graceful_shutdown_timeout_s=DRAIN_SECONDS,
        graceful_shutdown_wait_loop_s=0.5,
        health_check_period_s=5,
        health_check_timeout_s=30,
        autoscaling_config={
            "min_replicas": settings.min_replicas,
            "initial_replicas": settings.min_replicas,
            "max_replicas": max(settings.min_replicas, settings.max_replicas),
            "target_ongoing_requests": settings.requests_per_replica,
            "upscale_delay_s": settings.more_after_seconds,
            "downscale_delay_s": settings.fewer_after_seconds,
        },
    )
    entrance = serve.deployment(
        serve.ingress()(Entrance),
        name=FRONT,
        num_replicas=settings.fronts,
        logging_config=silent,
        ray_actor_options={"num_cpus": FRONT_CPUS},
        max_ongoing_requests=Limits().in_flight,
        graceful_shutdown_timeout_s=DRAIN_SECONDS,
        graceful_shutdown_wait_loop_s=0.5,
    )
    return entrance.bind(models.bind(facts), facts)


@contextmanager
def running(settings: RaySettings, *, port: int, cpus: int) -> Iterator[str]:
    """A Ray of its own on this machine, for as long as the block lasts; gives the address.

    All of it listens on loopback but the ports between replicas, which Ray opens on every address of the machine and
    which ask for a token as its others do. Nothing is told to Ray's makers.
    """
    os.environ |= LOCAL
    # Who reaches a port of Ray runs code in it, so that Ray asks for a token; this one is never on disk.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    serve = ray_serve()
    import ray

    ray.init(
        address="local",
        num_cpus=cpus,
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
    )
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": port}, logging_config={"enable_access_log": False})
        serve.run(build(settings), name=NAME)
        yield f"http://127.0.0.1:{port}"
    finally:
        serve.shutdown()
        ray.shutdown()


def options_of(settings: RaySettings) -> Any:
    """What `polyloom serve` would have been asked for."""
    from flows.serving import Options

    # Where Ray listens is not known here: without tokens nothing is served, unless a person said so.
    host = "127.0.0.1" if settings.open else "0.0.0.0"  # noqa: S104  (it is checked, not bound)
    names = tuple(name for name in settings.scenarios.split(",") if name)
    return Options(names=names, host=host, is_open=settings.open, log_file=settings.log_file, batches=settings.batches)


def ray_serve() -> Any:
    """Ray Serve. Raises: RequestError without the extra."""
    try:
        from ray import serve
    except ImportError as error:
        raise RequestError("Serving on Ray needs the package ray[serve]. Install polyloom[ray].") from error
    return serve
