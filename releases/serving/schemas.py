"""What is sent to a server and what comes back, as OpenAPI describes it; each with an example that works."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(max_length=100_000)]
Id = Annotated[str, Field(min_length=1, max_length=512)]
Count = Annotated[int, Field(ge=1, le=1_000)]
Cell = str | bool | int | float | list[str | int | float] | None
WHERE = Field(default=None, max_length=2_000, description="A filter over the items' columns.", examples=["price < 60"])
PICTURE = Field(default=None, description="A picture file in base64.", json_schema_extra={"contentEncoding": "base64"})


class Asked(BaseModel):
    """The ground of what is sent: a name that there is not is refused, so that no wish is dropped unseen."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Rows(Asked):
    """One row or several. A row has the scenario's own columns; `text` and `image` stand for a single row."""

    rows: list[dict[str, Cell]] | None = Field(
        default=None, min_length=1, description="Column to value; pictures are files in base64."
    )
    text: Text | None = None
    image: str | None = PICTURE


class PredictRequest(Rows):
    """Rows to be judged; `top` is how many probabilities are told of each task."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "Where is my parcel?", "top": 3},
                {"rows": [{"text": "Where is my parcel?"}, {"text": "怎么退货？"}]},
            ]
        }
    )
    top: Count = 5


class ExplainRequest(Rows):
    """Rows whose answers are to be explained; of all tasks that can be, or of those named."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Where is my parcel?", "near": 3}]})
    tasks: list[Id] | None = Field(default=None, min_length=1, max_length=50)
    near: int = Field(default=3, ge=0, le=20, description="How many known rows that are like it.")


class SearchRequest(Asked):
    """Words, a picture, both, or another item's id (`like`)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "where is my parcel", "k": 3}]})
    text: Text | None = None
    image: str | None = PICTURE
    like: Id | None = None
    k: Count = 10
    page: int = Field(default=1, ge=1, le=1_000)
    where: str | None = WHERE
    weights: dict[Id, Annotated[float, Field(ge=0)]] = Field(default={}, max_length=20)
    diversity: float = Field(default=0.0, ge=0, le=1)
    facets: list[Id] = Field(default=[], max_length=20)


class RecommendRequest(Asked):
    """A user, or ids that a visitor took, oldest first, or both. With `explore` the last are drawn, and logged."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"user": "u157", "k": 5}]})
    user: Id | None = None
    history: list[Id] = Field(default=[], max_length=1_000)
    k: Count = 10
    where: str | None = WHERE
    diversity: float | None = Field(default=None, ge=0, le=1)
    explore: bool = False


class Turn(Asked):
    """What was said before."""

    question: Text
    answer: Text | None = None
    cited: list[Id] = Field(default=[], max_length=100)


class AskRequest(Asked):
    """A question, with what was said before it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"question": "How can I pay?"}]})
    question: Text
    conversation: list[Turn] = Field(default=[], max_length=50)
    k: Count | None = Field(default=None, description="How many guesses where nothing is sure.")


class Correction(Asked):
    """What would have been right: the label of a task, for a row (from 0) of a prediction."""

    kind: Literal["correction"]
    prediction: Id
    row: int = Field(default=0, ge=0, le=1_000)
    task: Id
    label: Id | float | Annotated[list[Id], Field(max_length=100)]


class Click(Asked):
    """What somebody did with an item: an event of the scenario, by a user or upon a recommendation."""

    kind: Literal["click"]
    item: Id
    event: Id | None = None
    user: Id | None = None
    prediction: Id | None = None


class Reward(Asked):
    """What an item that was drawn brought (`exposure` of a list that explores): a number, or an event by its weight."""

    kind: Literal["reward"]
    exposure: Id
    reward: float | None = None
    event: Id | None = None


class FeedbackRequest(Asked):
    """What came back."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"feedback": {"kind": "click", "user": "u157", "item": "p0001", "event": "view"}},
            ]
        }
    )
    feedback: Annotated[Correction | Click | Reward, Field(discriminator="kind")]


class Release(BaseModel):
    """The release that answered."""

    scenario: str
    version: str
    digest: str


class Answered(BaseModel):
    """Which release answered, and the id for `polyloom replay`; null where the prediction was not kept."""

    release: Release
    prediction: str | None


class Predictions(Answered):
    """One for each row: each task's answer by its name, and the modalities that the row did not have."""

    predictions: list[dict[str, Any]]


class Explanations(Answered):
    """One for each row: what each task's answer rests on."""

    explanations: list[dict[str, Any]]


class Hits(Answered):
    """What was found, best first; for each asked column how often its values stand among what was found."""

    hits: list[dict[str, Any]]
    facets: dict[str, list[dict[str, Any]]] = {}


class Items(Answered):
    """What is recommended, best first; `history` is how many events it goes by."""

    history: int
    items: list[dict[str, Any]]


class Reply(Answered):
    """An answer with what it rests on, or a hand-over with the best guesses where the release is not sure enough."""

    answer: dict[str, Any]


class Kept(BaseModel):
    """What was kept; `counted` is false for what was known already.

    A row is learned from once the labels of all its tasks are known: `waits_for` are those that are not.
    """

    kept: str
    counted: bool
    waits_for: list[str] = []


class Problem(BaseModel):
    """Why a request was refused (RFC 9457). `reason` is for programs, `detail` for people."""

    type: str
    title: str
    status: int
    reason: str
    detail: str
    request_id: str
