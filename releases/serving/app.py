"""The application: paths, what they take and give, and who answers; for any ASGI server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException

from polyloom.version import VERSION
from releases.serving import schemas
from releases.serving.context import KEY, Context
from releases.serving.direct import Direct, answer, wrong
from releases.serving.endpoints import ENDPOINTS, Endpoint
from releases.serving.guard import App, Guard, refusal_of
from releases.serving.refusal import PROBLEM, Refused
from releases.serving.service import Service

JSON = "application/json"
Scenario = Annotated[str, Path(description="What is served here.")]
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.Problem, "description": said, "content": {PROBLEM: {}}}
    for status, said in {
        400: "The body is no JSON.",
        401: "No token, or one that does not count.",
        403: "The token is for something else.",
        404: "There is no such scenario here.",
        408: "The body came too slowly.",
        413: "Too large: the body, a picture, a text, or too many rows.",
        415: "Send JSON.",
        421: "The server is not called by that name.",
        422: "The request is wrong; `detail` says what is allowed.",
        429: "Too much at once: try again after `Retry-After` seconds.",
        503: "Not now.",
        504: "No answer in time.",
    }.items()
}
DESCRIPTION = """The champions of a polyloom home. Every answer names the release that gave it, and the id by which
`polyloom replay` gives the same scores again. A refused request is answered with `application/problem+json`."""


class Application(FastAPI):
    """FastAPI within the guard: what is refused, or answered directly, never gets as far as the framework."""

    outermost: App

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Whatever a server hands over."""
        await self.outermost(scope, receive, send)

    async def within(self, scope: Any, receive: Any, send: Any) -> None:
        """What the framework answers."""
        await super().__call__(scope, receive, send)


def create_app(service: Service, *, origins: Sequence[str] = ()) -> Application:
    """The application over a service; the service is closed with it. Pages of `origins` alone may ask it."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.close)

    app = Application(
        title="polyloom",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        servers=None,
        separate_input_output_schemas=False,
    )
    app.outermost = Guard(Direct(app.within, service=service), observing=service)
    if origins:
        app.outermost = CORSMiddleware(
            app.outermost,
            allow_origins=list(origins),
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "x-request-id"],
            expose_headers=["x-request-id"],
        )
    app.add_exception_handler(HTTPException, no_such_path)
    app.add_exception_handler(RequestValidationError, wrong_body)
    app.add_exception_handler(Refused, not_answered)
    app.add_exception_handler(Exception, not_answered)
    add_state(app, service)
    for action, endpoint in ENDPOINTS.items():
        add_action(app, service, action, endpoint)
    complete_schema(app, service)
    return app


def add_state(app: FastAPI, service: Service) -> None:
    """What the server says of itself."""

    @app.get("/", tags=["state"], summary="Where to go")
    async def home() -> dict[str, Any]:
        paths = {"openapi": "/openapi.json", "scenarios": "/v1", "ready": "/ready", "metrics": "/metrics"}
        return {"name": "polyloom", "version": VERSION, **paths}

    @app.get("/health", tags=["state"], summary="Whether the process lives")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/ready", tags=["state"], summary="Whether requests are answered", responses={503: {}})
    async def ready() -> Response:
        told = service.readiness()
        return Response(orjson.dumps(told), status_code=200 if told["ready"] else 503, media_type=JSON)

    @app.get("/metrics", tags=["state"], summary="Figures for Prometheus", response_class=Response, responses=REFUSALS)
    async def metrics(request: Request) -> Response:
        content, kind = service.metrics_text(request.headers.get("accept", ""))
        return Response(content, media_type=kind)

    @app.get("/v1", tags=["state"], summary="What is served here", responses=REFUSALS)
    async def scenarios(request: Request) -> dict[str, Any]:
        caller = context_of(request).caller
        return {"scenarios": [service.described(name) for name in sorted(service.scenarios) if caller.may_know(name)]}

    @app.get("/v1/{scenario}", tags=["state"], summary="What a scenario takes and does", responses=REFUSALS)
    async def described(scenario: Scenario) -> dict[str, Any]:
        service.champion(scenario)
        return service.described(scenario, whole=True)


def add_action(app: FastAPI, service: Service, action: str, endpoint: Endpoint) -> None:
    """What is asked of a release, as OpenAPI describes it; only what names no scenario of this server gets here."""
    body = endpoint.body

    @app.post(
        f"/v1/{{scenario}}/{action}",
        name=action,
        tags=[endpoint.tag],
        response_model=endpoint.reply,
        responses=REFUSALS,
        summary=endpoint.summary,
    )
    async def act(scenario: Scenario, asked: body, request: Request) -> Response:  # type: ignore[valid-type]
        return Response(await answer(service, scenario, action, asked, context_of(request)), media_type=JSON)


def context_of(request: Request) -> Context:
    """What is known of a request."""
    found: Context = request.scope[KEY]
    return found


async def no_such_path(request: Request, error: Exception) -> Response:
    """A path or a method that there is not."""
    status = getattr(error, "status_code", 404)
    allowed = getattr(error, "headers", None)
    wrong = "no_such_method" if status == 405 else "no_such_path"
    detail = "This path knows other methods." if status == 405 else "There is no such path. See /openapi.json."
    return problem(request, Refused(status, wrong, detail, headers=allowed))


async def wrong_body(request: Request, error: Exception) -> Response:
    """A body that is not as the schema says: where, and what is allowed; not what was sent."""
    return problem(request, wrong(error.errors() if isinstance(error, RequestValidationError) else []))


async def not_answered(request: Request, error: Exception) -> Response:
    """What is refused by what answers, or fails; the guard hears of failures all the same."""
    return problem(request, refusal_of(error))


def problem(request: Request, refused: Refused) -> Response:
    """A refusal as it goes out."""
    context = context_of(request)
    context.refused = refused.reason
    body = orjson.dumps(refused.problem(context.request_id))
    return Response(body, status_code=refused.status, headers=refused.headers, media_type=PROBLEM)


def complete_schema(app: FastAPI, service: Service) -> None:
    """Say in OpenAPI which scenarios there are, or that a token is needed, without which nobody is told."""
    made: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        # A server is open until the first token is made, so that this is looked at each time.
        schema, is_open = made(), service.is_open
        schema["components"]["securitySchemes"] = {} if is_open else {"token": {"type": "http", "scheme": "bearer"}}
        for path, methods in schema["paths"].items():
            for method in methods.values():
                for parameter in method.get("parameters", ()):
                    parameter["schema"].pop("enum", None)
                    if is_open:
                        # Only told: any other is refused with a 404 of ours, by a message that names those there are.
                        parameter["schema"]["enum"] = sorted(service.scenarios)
                if path.startswith("/v1") or path == "/metrics":
                    method["security"] = [] if is_open else [{"token": []}]
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
