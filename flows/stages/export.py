"""Graphs: one a head here, one an encoder in `encoders`; each is checked against torch."""

from typing import Any

from flows.assembly import build_fusion, has_encoder, task_inputs
from flows.stages.encoders import graph_folder, open_encoder
from flows.stages.job import Job
from heads.decoding import ClassificationDecoder
from polyloom.durable import publish_folder, read_json
from polyloom.progress import Progress


def export_graphs(job: Job, *, progress: Progress) -> dict[str, Any]:
    """Export every head and every encoder; reports the largest difference to torch of each."""
    done = job.finished("export")
    if done is not None:
        return done
    encoders = {name: open_encoder(job, name, progress=progress) for name in job.scenario.modalities}
    differences = {}
    with (
        progress.stage("export heads", total=len(job.scenario.tasks), unit="graphs") as bar,
        publish_folder(job.folder / "heads") as draft,
    ):
        for task in job.scenario.tasks:
            (draft / task).mkdir()
            dims = {name: encoders[name].dim for name in task_inputs(job.scenario, task)}
            differences[task] = export_task(job, task, dims=dims, folder=draft / task)
            bar.advance()
    exported = [name for name, modality in job.scenario.modalities.items() if has_encoder(modality)]
    return job.finish("export", {"heads": differences, "encoders": {name: parity(job, name) for name in exported}})


def export_task(job: Job, task: str, *, dims: dict[str, int], folder: Any) -> float:
    """Rebuild a task in torch from its saved weights and export it."""
    from safetensors.torch import load_file

    from heads.classification import ClassificationHead
    from training.export import export_head
    from training.model import TaskModel

    saved = job.folder / "fitted" / "tasks"
    decoder = ClassificationDecoder.from_json(read_json(saved / f"{task}.json"))
    fusion = build_fusion(job.scenario, dims)
    head = ClassificationHead(dim=fusion.dim, labels=len(decoder.labels), kind=decoder.kind)
    model = TaskModel(fusion=fusion, head=head)
    model.load_state_dict(load_file(saved / f"{task}.safetensors"))
    return export_head(model, dims=dims, decoder=decoder, folder=folder)


def parity(job: Job, name: str) -> float:
    """The difference to torch that was measured when the encoder was exported."""
    return float(read_json(graph_folder(job, name) / "encoder.json")["parity"])
