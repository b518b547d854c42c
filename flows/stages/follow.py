"""A process that helps another one to fit: it waits for the job, then makes every step together with it.

Started by the stage `fit` for `recipe.processes`, as `python -m flows.stages.follow RANK SIZE ADDRESS PORT`, or by
`torchrun` or `accelerate launch`. It writes nothing: checkpoints, weights and figures are the leading process's.
"""

import json
import sys
from datetime import timedelta

from flows.stages.fit import ready_for_team
from flows.stages.job import Job
from flows.stages.launched import JOB, Launched, here
from flows.stages.material import Material
from polyloom.progress import SILENT

# Ingestion and embedding come first in the leading process.
PATIENCE = timedelta(days=2)


def follow(place: Launched) -> bool:
    """Help to fit once; returns whether there was something to fit."""
    from training.device import place as place_on
    from training.process import set_up_process
    from training.team import joined, meeting

    store = meeting(place.address, place.port, serves=False, patience=PATIENCE)
    store.set(here(place.rank), "1")
    ref = json.loads(store.get(JOB))
    if ref is None:
        return False
    job = Job.load(ref)
    placement = place_on(job.scenario.recipe.precision, number=place.local_rank)
    with joined(store, rank=place.rank, size=place.size, device=placement.device) as team:
        set_up_process()
        material = Material(job, progress=SILENT, team=team, placement=placement)
        ready_for_team(material, on_epoch=None).fitting.run()
    return True


if __name__ == "__main__":
    number, count, address, port = sys.argv[1:]
    follow(Launched(rank=int(number), size=int(count), local_rank=int(number), address=address, port=int(port)))
