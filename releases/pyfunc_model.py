"""A release as MLflow's pyfunc: a data frame in, a data frame out, without torch and without anything unpickled."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel

from polyloom.errors import PolyloomError
from releases.asked_rows import Request, answer_rows
from releases.frames import labels, rows_of
from releases.pyfunc_names import ANSWER, BUNDLE
from releases.runtime import Runtime


class ReleaseModel(PythonModel):
    """Answers by one bundle, which is verified against `digest` when it is loaded."""

    def __init__(self, digest: str) -> None:
        self.digest = digest

    def load_context(self, context: Any) -> None:
        """Open the bundle that came with the model. Raises IntegrityError naming the file that was changed."""
        self.runtime = Runtime.open(Path(context.artifacts[BUNDLE]), digest=self.digest)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002
        """One row for each: `answer` as JSON, and of a prediction each task's label and its probability."""
        given = params or {}
        request = Request(
            do=str(given.get("do", "predict")),
            k=int(given.get("k", 10)),
            where=given.get("where") or None,
            top=int(given.get("top", 5)),
        )
        try:
            found = answer_rows(self.runtime, rows_of(model_input), request)
        except PolyloomError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error
        lines = [{**labels(one), ANSWER: json.dumps(one, ensure_ascii=False)} for one in found]
        return pd.DataFrame(lines, index=model_input.index)
