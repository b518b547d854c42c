"""polyloom's side of `benchmarks.training`: from rows to a fitted, exported model and its answers for the test rows.

`python -m benchmarks.polyloom_side CASE_FOLDER WORK_FOLDER SETTINGS_JSON` writes a scenario over the rows and calls the
stages of a run one after the other, as its flow does: ingestion with its checks and snapshot, preparation, embedding,
the fit with its checkpoints, the export of each graph with its parity check; then it calibrates on the validation
rows, answers the test rows through the graphs, and writes `WORK_FOLDER/result.json` in the shape of the other side's.
What a run does for operation is left out, as the other side has none of it: Prefect, MLflow, pictures, bundle, gate.
With `"whole": true` in the settings all of that is in: `polyloom run`, then the released bundle answers.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from benchmarks.training_recipes import TASK, scenario
from benchmarks.training_rows import Case, Row, read_rows


def main(case_folder: Path, work: Path, settings: dict[str, Any]) -> None:
    """Fit, answer, write the result."""
    case = Case.read(case_folder)
    path = work / "scenario.yaml"
    path.write_text(yaml.safe_dump(scenario(case, case_folder, settings), sort_keys=False), encoding="utf-8")
    os.environ["POLYLOOM_HOME"] = str(work / "home")
    answers, seconds = whole(path, case, case_folder) if settings.get("whole") else by_stages(path)
    result = {"versions": versions(), "seconds": seconds, "predictions": [plain(case, answer) for answer in answers]}
    (work / "result.json").write_text(json.dumps(result), encoding="utf-8")


def by_stages(path: Path) -> tuple[list[Any], dict[str, float]]:
    """Answers for the test rows and seconds by stage; `fit` is all before the first answer."""
    from flows.scenario_file import load_scenario
    from flows.stages.embed import embed_frozen
    from flows.stages.export import export_graphs
    from flows.stages.fit import fit
    from flows.stages.ingest import ingest
    from flows.stages.job import Job
    from flows.stages.prepare import prepare
    from polyloom.home import home
    from polyloom.progress import SILENT

    started = time.monotonic()
    loaded = load_scenario(str(path), overrides=[])
    report = ingest(loaded, progress=SILENT)
    snapshot = home() / "snapshots" / loaded.scenario.name / report.id
    job = Job.load({"scenario": str(path), "overrides": [], "snapshot": str(snapshot), "fingerprint": "0" * 16})
    marks = [("ingest", time.monotonic())]
    for name, stage in (("prepare", prepare), ("embed", embed_frozen)):
        stage(job, progress=SILENT)
        marks.append((name, time.monotonic()))
    fit(job, progress=SILENT, on_epoch=lambda _: None)
    marks.append(("fitting", time.monotonic()))
    export_graphs(job, progress=SILENT)
    marks.append(("export", time.monotonic()))
    answers = answered(job)
    ended = time.monotonic()
    begins = [started, *(moment for _, moment in marks)]
    stages = {name: moment - begin for (name, moment), begin in zip(marks, begins, strict=False)}
    return answers, {**stages, "fit": marks[-1][1] - started, "predict": ended - marks[-1][1]}


def answered(job: Any) -> list[Any]:
    """Calibrated answers for the test rows, in their order."""
    import numpy as np

    from flows.stages.evaluate import head_outputs, open_head
    from heads.decoder import rows_of
    from polyloom.progress import SILENT

    head = open_head(job, TASK)
    held_out, tested = (job.split(name, task=TASK) for name in ("validation", "test"))
    outputs = head_outputs(job, head, np.concatenate([held_out, tested]), progress=SILENT).outputs
    targets = job.targets(TASK)
    truth = head.decoder.encode([targets[row] for row in held_out])
    decoder = head.decoder.calibrate(rows_of(outputs, slice(0, len(held_out))), truth)
    preparation = job.preparations[head.inputs[0]]
    inputs = [preparation.value(job.task_rows[row]) for row in tested]
    answers: list[Any] = decoder.answers(rows_of(outputs, slice(len(held_out), None)), inputs, top=1)
    return answers


def whole(path: Path, case: Case, case_folder: Path) -> tuple[list[Any], dict[str, float]]:
    """`polyloom run`, then the released bundle's answers. Raises CalledProcessError when the run failed."""
    from releases.runtime import Runtime

    started = time.monotonic()
    command = [sys.executable, "-m", "flows.cli", "run", str(path), "--json"]
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told = json.loads(ended.stdout)
    fitted = time.monotonic()
    rows = [question(case, row, case_folder) for row in read_rows(case_folder / "test.jsonl")]
    answers = [one.answers[TASK] for one in Runtime.open(Path(told["bundle"])).predict(rows, top=1)]
    stages = {name.replace("fit", "fitting"): value for name, value in told["seconds"].items()}
    return answers, {**stages, "fit": fitted - started, "predict": time.monotonic() - fitted}


def question(case: Case, row: Row, case_folder: Path) -> Row:
    """A test row without its answer; the picture as an absolute path."""
    given = {column: value for column, value in row.items() if column != case.label}
    if case.picture and given.get(case.picture):
        given[case.picture] = str(case_folder / str(given[case.picture]))
    return given


def plain(case: Case, answer: Any) -> object:
    """An answer as the judge reads it: a label, or entities as [start, end, label]."""
    if case.kind == "token_classification":
        return [[part.start, part.end, part.label] for part in answer.parts]
    return answer.label


def versions() -> dict[str, str]:
    """What ran."""
    from importlib.metadata import version

    return {"torch": version("torch"), "transformers": version("transformers"), "timm": version("timm")}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
