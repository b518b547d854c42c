"""What is asked of a scenario goes straight to its answer, past what a framework does for any request.

FastAPI describes these paths and would answer them alike, for several times what all the rest of a request costs.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from releases.serving.context import KEY, Context
from releases.serving.endpoints import ENDPOINTS
from releases.serving.guard import App, Receive, Scope, Send
from releases.serving.refusal import Refused
from releases.serving.service import Service

SHOWN_PROBLEMS, SHOWN_CHARACTERS = 5, 40


class Direct:
    """Middleware within the guard: answers what is asked of a scenario that is served here; the rest goes on."""

    def __init__(self, app: App, *, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        context: Context | None = scope.get(KEY)
        if context is None or context.method != "POST" or not (context.route.action and context.route.scenario):
            await self._app(scope, receive, send)
            return
        check_kind(scope)
        asked = read(context.route.action, (await receive())["body"])
        body = await answer(self._service, context.route.scenario, context.route.action, asked, context)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def answer(service: Service, scenario: str, action: str, asked: Any, context: Context) -> bytes:
    """What is answered to a body that was read, as JSON. Raises: Refused."""
    if action == "feedback":
        return (await service.feedback(scenario, asked.feedback)).model_dump_json().encode()
    outcome = await service.answer(scenario, action, asked, context)
    context.prediction = outcome.prediction
    return outcome.body


def check_kind(scope: Scope) -> None:
    """A page of another site can send plain text without asking, and never JSON. Raises: Refused (415)."""
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    if b"json" not in kind.lower():
        raise Refused(415, "no_json", "Send JSON, with the header 'Content-Type: application/json'.")


def read(action: str, body: bytes) -> BaseModel:
    """The body of a request. Raises: Refused for what is no JSON (400), and what is not as the schema says (422)."""
    try:
        return ENDPOINTS[action].body.model_validate_json(body)
    except ValidationError as error:
        raise wrong(error.errors(include_url=False, include_context=False, include_input=False)) from None


def wrong(found: Sequence[Any]) -> Refused:
    """Where a body is not as it should be, and what is allowed; not what was sent."""
    said = "; ".join(f"{place(one['loc'])}: {one['msg']}" for one in found[:SHOWN_PROBLEMS])
    if any(one["type"] == "json_invalid" for one in found):
        return Refused(400, "no_json", f"The body is no JSON. {said}")
    return Refused(422, "wrong_request", said or "The body is not as /openapi.json says.")


def place(path: tuple[int | str, ...]) -> str:
    """Where in a body, by names that are cut off where somebody sent long ones."""
    return ".".join(str(part)[:SHOWN_CHARACTERS] for part in path) or "body"
