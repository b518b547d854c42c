"""Which variant of an encoder's graph a run goes on with: the plain one, or a smaller one that proved itself."""

from dataclasses import dataclass
from typing import Any

from flows.stages.job import Job
from modalities.encoders.onnx import GraphRuntime
from polyloom.durable import json_digest
from training.quantisation import Int8

STAGE = "variants"


@dataclass(frozen=True)
class Variant:
    """How an exported encoder is run; `int8` None is in full precision."""

    int8: Int8 | None
    runtime: GraphRuntime

    @property
    def name(self) -> str:
        """As it is reported."""
        runtime, _, halved = self.runtime.partition("_")
        return f"{halved or 'fp32' if self.int8 is None else f'int8 {self.int8}'}, {runtime}"

    def facts(self, job: Job, name: str) -> dict[str, Any]:
        """What its graph depends on beside the plain one."""
        if self.int8 != "static":
            return {"variant": vars(self)}
        hashes = [digest for _, digest in calibration_values(job, name)]
        return {"variant": {**vars(self), "calibration": json_digest(hashes)}}


PLAIN = Variant(int8=None, runtime="onnxruntime")


def variant_of(job: Job, name: str) -> Variant:
    """The one that was chosen; the plain one before and without a choice."""
    done = job.finished(STAGE)
    return PLAIN if done is None or name not in done else Variant(**done[name]["chosen"])


def calibration_values(job: Job, name: str) -> list[tuple[object, str]]:
    """Values of training rows, each with its hash, evenly spaced over the training split."""
    given = job.task_values(name)
    known = [row for row in job.split("train") if given.values[row] is not None]
    wanted = job.scenario.export.calibration_rows
    chosen = known[:: max(1, len(known) // wanted)][:wanted]
    return [(given.values[row], str(given.hashes[row])) for row in chosen]
