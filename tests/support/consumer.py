"""A downstream service, run in an environment that has only what a release asks for; answers are printed as JSON.

Any unpickling stops it, and in the forms without code so does code that lies beside a bundle.
"""

import base64
import json
import os
import sys

FORBIDDEN = ("torch", "transformers", "timm", "prefect", "polyloom", "heads", "flows")


def refuse_pickle(event, arguments):
    if event == "pickle.find_class":
        raise RuntimeError(f"something was unpickled: {arguments}")


def refuse_code(folder):
    def hook(event, arguments):
        if event == "open" and str(arguments[0]).startswith(folder) and str(arguments[0]).endswith((".py", ".pyc")):
            raise RuntimeError(f"code of a model was read: {arguments[0]}")

    return hook


def rows_of(rows):
    """Pictures come as base64."""
    return [
        {name: base64.b64decode(value[4:]) if str(value).startswith("b64:") else value for name, value in row.items()}
        for row in rows
    ]


def through_pyfunc(asked):
    import mlflow
    import pandas as pd

    sys.addaudithook(refuse_pickle)
    model = mlflow.pyfunc.load_model(asked["uri"])
    answers = {"example": json.loads(model.predict(model.input_example)["answer"][0])}
    for call in asked["calls"]:
        frame = pd.DataFrame(rows_of(call["rows"]))
        found = model.predict(frame, params=call["params"])
        answers[call["params"]["do"]] = [json.loads(one) for one in found["answer"]]
    answers["requirements"] = model.metadata.get_input_schema().input_names()
    return answers


def through_plain(asked):
    from pathlib import Path

    sys.path.insert(0, asked["reader"])
    from plain_reader import PlainRelease

    sys.addaudithook(refuse_pickle)
    sys.addaudithook(refuse_code(asked["model"]))
    return PlainRelease(Path(asked["model"])).predict(rows_of(asked["rows"]))


def through_client(asked):
    from pathlib import Path

    sys.path.insert(0, asked["code"])
    from releases.asked_rows import Request, answer_rows
    from releases.client import ReleaseClient

    sys.addaudithook(refuse_pickle)
    sys.addaudithook(refuse_code(asked["model"]))
    with ReleaseClient(asked["registry"], asked["scenario"], cache=Path(asked["cache"])) as client:
        answers = {
            call["params"]["do"]: answer_rows(client.runtime, rows_of(call["rows"]), Request(**call["params"]))
            for call in asked["calls"]
        }
        return {**answers, "stale": client.status.stale}


if __name__ == "__main__":
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    way = {"pyfunc": through_pyfunc, "plain": through_plain, "client": through_client}[sys.argv[1]]
    result = way(json.loads(sys.stdin.read()))
    there = [name for name in FORBIDDEN if name in sys.modules and sys.argv[1] != "client"]
    torch = [name for name in FORBIDDEN[:4] if name in sys.modules]
    sys.stdout.write(json.dumps({"result": result, "forbidden": there or torch}))
