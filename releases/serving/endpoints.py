"""What can be asked of a scenario: each action's path, what it takes and what it gives, in one table."""

from dataclasses import dataclass

from pydantic import BaseModel

from releases.serving import schemas


@dataclass(frozen=True)
class Endpoint:
    """`body` is what is sent, `reply` what comes back; `tag` and `summary` are for OpenAPI."""

    body: type[BaseModel]
    reply: type[BaseModel]
    tag: str
    summary: str


ENDPOINTS = {
    "predict": Endpoint(
        schemas.PredictRequest, schemas.Predictions, "predict", "Answers with calibrated probabilities"
    ),
    "explain": Endpoint(schemas.ExplainRequest, schemas.Explanations, "predict", "What answers rest on"),
    "search": Endpoint(schemas.SearchRequest, schemas.Hits, "find", "Items by words, a picture, or another item"),
    "recommend": Endpoint(schemas.RecommendRequest, schemas.Items, "find", "Items for a user or a visitor"),
    "ask": Endpoint(schemas.AskRequest, schemas.Reply, "find", "An answer that is sure enough, or a hand-over"),
    "feedback": Endpoint(
        schemas.FeedbackRequest, schemas.Kept, "feedback", "What came back: a correction, a click, a reward"
    ),
}
