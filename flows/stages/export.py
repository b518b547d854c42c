"""Graphs: one a head here, one an encoder in `encoders`; each is checked against torch."""

from typing import Any

from flows.assembly import has_encoder
from flows.scenario_columns import task_inputs
from flows.stages.encoders import AnyEncoder, example, graph_folder, open_encoder
from flows.stages.job import Job
from flows.task_assembly import build_released_task
from flows.task_reads import READS
from heads.decoders import load_decoder
from modalities.preparation.protocol import Arrays
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
            differences[task] = export_task(job, task, encoders=encoders, folder=draft / task)
            bar.advance()
    exported = [name for name, modality in job.scenario.modalities.items() if has_encoder(modality)]
    return job.finish("export", {"heads": differences, "encoders": {name: parity(job, name) for name in exported}})


def export_task(job: Job, task: str, *, encoders: dict[str, AnyEncoder], folder: Any) -> float:
    """Rebuild a task in torch from its saved weights and export it."""
    from safetensors.torch import load_file

    from training.ensemble import members_in
    from training.export import export_head

    saved = job.folder / "fitted" / "tasks"
    decoder = load_decoder(read_json(saved / f"{task}.json"))
    dims = {name: encoders[name].dim for name in task_inputs(job.scenario, task)}
    weights = load_file(saved / f"{task}.safetensors")
    model = build_released_task(job.scenario, task, decoder=decoder, dims=dims, members=members_in(weights))
    model.load_state_dict(weights)
    return export_head(model, example=head_example(job, task, encoders), decoder=decoder, folder=folder)


def head_example(job: Job, task: str, encoders: dict[str, AnyEncoder]) -> Arrays:
    """What a task's graph is tried on: random embeddings, or two values of the data through their encoder."""
    from training.export import fused_example

    names = task_inputs(job.scenario, task)
    reads = READS[job.scenario.tasks[task].kind]
    if reads in {"fused", "pair"}:
        return fused_example({name: encoders[name].dim for name in names})
    arrays = example(job, names[0])
    wanted = "map" if reads == "maps" else "tokens"
    embeddings = {name: array for name, array in encoders[names[0]].named(arrays).items() if name.startswith(wanted)}
    side = {} if reads == "maps" else {name: array for name, array in arrays.items() if name != "input_ids"}
    return {**embeddings, **side}


def parity(job: Job, name: str) -> float:
    """The difference to torch that was measured when the encoder was exported."""
    return float(read_json(graph_folder(job, name) / "encoder.json")["parity"])
