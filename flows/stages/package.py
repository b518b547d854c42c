"""Everything that answers, in one sealed folder: preparations, graphs, index generations, items, figures, card."""

import shutil
from pathlib import Path
from typing import Any

from flows.assembly import has_encoder
from flows.compress_report import smaller_lines, variant_rows
from flows.continual_report import step_tables
from flows.ensemble_report import member_tables
from flows.ladder_report import ladder_end, ladder_rows
from flows.modality_spec import Image, Text
from flows.source_spec import Documents
from flows.spec import Scenario
from flows.stages.answering import build_answering
from flows.stages.encoders import AnyEncoder, graph_folder, open_encoder
from flows.stages.fitted import encoder_strategy
from flows.stages.index import alignment_digest, build_index
from flows.stages.job import Job
from flows.stages.recommend import build_recommender
from flows.stages.reranking import export_reranker
from flows.stages.variant import STAGE
from flows.use_spec import Answer, Recommend
from ingestion.datasets import known_licence
from modalities.weights import PACKAGED
from polyloom.durable import read_json, write_json
from polyloom.home import home
from polyloom.progress import Progress
from polyloom.version import code_version
from releases.bundle import seal
from releases.card import model_card
from releases.environment import write_environment
from releases.licences import licence_notes
from releases.objects import OBJECTS, ObjectStore, publish
from releases.reranker import FOLDER as RERANKER
from releases.runtime import INDEX
from retrieval.joining import USUAL_SHARE

LICENCES = "LICENCES.md"


def package(job: Job, *, progress: Progress) -> dict[str, Any]:
    """Build and seal the bundle; the same parts give the same digest. Reports digest, folder and index counts."""
    done = job.finished("package")
    if done is not None and Path(done["folder"]).is_dir():
        return done
    encoders = {name: open_encoder(job, name, progress=progress) for name in job.scenario.modalities}
    staging = job.folder / "bundle"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    index = build_index(job, staging / INDEX, encoders, progress=progress)
    export_reranker(job, staging / RERANKER, progress=progress)
    copy_parts(job, staging)
    write_facts(job, staging, encoders, index)
    uses = used(job, staging, progress=progress)
    write_needs(job, staging)
    digest = seal(staging)
    folder = home() / "releases" / job.scenario.name / digest
    publish(staging, folder, ObjectStore(home() / OBJECTS))
    return job.finish("package", {"digest": digest, "folder": str(folder), "index": index, **uses})


def used(job: Job, folder: Path, *, progress: Progress) -> dict[str, Any]:
    """What the index is for: items for each user and answers, as the scenario asks; gives the figures of each."""
    found = {
        "recommend": build_recommender(job, folder, progress=progress),
        "answer": build_answering(job, folder, progress=progress),
    }
    return {name: figures for name, figures in found.items() if figures}


def copy_parts(job: Job, folder: Path) -> None:
    """Preparations, graphs with their calibrated decoders, pictures."""
    shutil.copytree(job.folder / "preparation", folder / "preparation")
    for name, modality in job.scenario.modalities.items():
        if has_encoder(modality):
            shutil.copytree(graph_folder(job, name), folder / "encoders" / name)
    shutil.copytree(job.folder / "heads", folder / "heads")
    decoders = read_json(job.folder / "evaluation" / "decoders.json")
    for task, decoder in decoders.items():
        path = folder / "heads" / task / "head.json"
        write_json(path, {**read_json(path), "decoder": decoder})
    (folder / "pictures").mkdir()
    for picture in sorted((job.folder / "evaluation").glob("*.png")):
        shutil.copy(picture, folder / "pictures")


def write_facts(job: Job, folder: Path, encoders: dict[str, AnyEncoder], index: dict[str, Any]) -> None:
    """What the runtime must know, the scenario as it was, figures, data, and the card."""
    scenario = job.scenario
    digests = {name: encoder.digest for name, encoder in encoders.items()}
    aligned = (
        {}
        if scenario.index is None
        else {
            task: {"side": side, "digest": alignment_digest(job, task, digests)}
            for task, side in scenario.index.align.items()
        }
    )
    metrics = (job.finished("evaluate") or {})["metrics"]
    facts = application(scenario, encoders, aligned, index.get("fusion", {}))
    write_json(folder / "application.json", facts)
    write_json(folder / "scenario.json", scenario.model_dump(mode="json"))
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "snapshot.json", {**job.ref["data"], "index": {"rows": index.get("rows", 0)}})
    (folder / "card.md").write_text(card(job, metrics), encoding="utf-8")


def write_needs(job: Job, folder: Path) -> None:
    """What serving needs, by all that is in the bundle, and the licences of what it is made of."""
    libraries = write_environment(folder, read_json(folder / "application.json"))
    notes = licence_notes(title=job.scenario.title, weights=origins(job), data=data_licences(job), libraries=libraries)
    (folder / LICENCES).write_text(notes, encoding="utf-8")


def application(
    scenario: Scenario, encoders: dict[str, AnyEncoder], aligned: dict[str, dict[str, str]], fusion: dict[str, Any]
) -> dict[str, Any]:
    """The facts that `releases.runtime` opens a bundle by."""
    modalities = {
        name: {
            "kind": modality.kind,
            "encoder": "onnx" if has_encoder(modality) else "vector",
            "digest": encoders[name].digest,
            "dim": encoders[name].dim,
        }
        for name, modality in scenario.modalities.items()
    }
    facts = {"name": scenario.name, "title": scenario.title, "description": scenario.description}
    targets = {name: task.target for name, task in scenario.tasks.items() if task.target}
    return {
        **facts,
        "modalities": modalities,
        "tasks": list(scenario.tasks),
        "targets": targets,
        "index": index_facts(scenario, aligned, fusion),
        "recommend": None if scenario.recommend is None else recommend_facts(scenario, scenario.recommend),
        "answer": None if scenario.answer is None else answer_facts(scenario, scenario.answer),
    }


def answer_facts(scenario: Scenario, settings: Answer) -> dict[str, Any]:
    """What must be known to answer: how, and whether items say where in which document they stand."""
    assert scenario.index is not None
    places = isinstance(scenario.data[scenario.index.rows], Documents)
    return {**settings.model_dump(mode="json"), "read": settings.reads, "places": places}


def recommend_facts(scenario: Scenario, settings: Recommend) -> dict[str, Any]:
    """What must be known to recommend: how, and which columns say who took what."""
    source = scenario.data[settings.interactions].model_dump(mode="json")
    columns = {name: source.get(name) for name in ("user", "item", "time", "event", "weight")}
    return {**settings.model_dump(mode="json"), "columns": columns}


def index_facts(
    scenario: Scenario, aligned: dict[str, dict[str, str]], fusion: dict[str, Any]
) -> dict[str, Any] | None:
    """What search must know about the items."""
    if scenario.index is None:
        return None
    rows = scenario.data[scenario.index.rows]
    single = {name: "text" for name in (*rows.text, getattr(rows, "key", None)) if name}
    return {
        "rows": scenario.index.rows,
        "embed": list(scenario.index.embed),
        "align": aligned,
        "keyword": scenario.index.keyword,
        "milvus": scenario.index.milvus,
        "watch": scenario.index.watch,
        "recall": scenario.index.recall,
        "words": list(rows.text),
        "rerank": scenario.index.rerank.candidates if scenario.index.rerank else 0,
        "keyword_share": fusion.get("share", USUAL_SHARE),
        "weights": dict(scenario.index.weights),
        "show": list(scenario.index.show or [*rows.text, *rows.columns]),
        "group": scenario.index.group,
        "columns": {**single, **rows.columns},
        "image": rows.image,
    }


def card(job: Job, metrics: dict[str, Any]) -> str:
    """The model card; it has no times in it, so that the same run gives the same bundle.

    Variants of graphs are the exception: they were chosen by their times.
    """
    scenario = job.scenario
    fitted = job.finished("fit") or {}
    return model_card(
        scenario=scenario.name,
        title=scenario.title,
        snapshot=job.ref["data"]["id"],
        metrics=metrics,
        gate=None,
        modalities={name: modality.model_dump(mode="json") for name, modality in scenario.modalities.items()},
        tasks={
            name: {**task.model_dump(mode="json"), "best_epoch": fitted.get("best_epoch")}
            for name, task in scenario.tasks.items()
        },
        rows=job.ref["data"]["tables"],
        intended_use=scenario.description or f"Made for the scenario {scenario.name!r}.",
        limits=limits(job),
        data_licence=", ".join(sorted({licence for licence in data_licences(job).values() if licence})) or None,
        weights_origin=origins(job),
        seconds={},
        code_version=code_version(),
        ladder=ladder_rows(fitted.get("auto")),
        ladder_end=ladder_end(fitted.get("auto")),
        tables=[*step_tables(fitted.get("continual")), *member_tables(fitted.get("ensemble"))],
        smaller=smaller_lines(teacher=job.finished("teach"), pruned=fitted.get("pruned")),
        variants=variant_rows(job.finished(STAGE)),
    )


def origins(job: Job) -> dict[str, dict[str, Any]]:
    """Where the weights of each encoder came from."""
    return {
        name: origin(modality, strategy=encoder_strategy(job.folder, name))
        for name, modality in job.scenario.modalities.items()
        if isinstance(modality, Image | Text)
    }


def data_licences(job: Job) -> dict[str, str | None]:
    """The licence of each source's data, where it is a data set that polyloom knows; else None."""
    beside = Path(job.ref["scenario"]).parent
    return {
        name: known_licence(path if isinstance(path := getattr(source, "path", None), str) else "", beside=beside)
        for name, source in job.scenario.data.items()
    }


def limits(job: Job) -> list[str]:
    """What follows from how the run was made."""
    found = ["Figures hold for rows like the test rows; how it does on other data is not known."]
    for name, modality in job.scenario.modalities.items():
        frozen = isinstance(modality, Image | Text) and encoder_strategy(job.folder, name) == "frozen"
        if frozen and getattr(modality, "weights", "") == "scratch":
            found.append(f"The encoder {name!r} was neither trained before nor here: its features are random.")
    return found


def origin(modality: Image | Text, *, strategy: str) -> dict[str, Any]:
    """Where an encoder's weights came from, and by which strategy they were trained here."""
    facts: dict[str, Any] = {
        "model": modality.model,
        "origin": modality.weights,
        "trained here": "no" if strategy == "frozen" else f"yes ({strategy})",
    }
    if modality.weights == "packaged" and modality.model in PACKAGED:
        entry = PACKAGED[modality.model]
        facts |= {"sha256": entry.sha256, "licence": entry.licence}
    return facts
