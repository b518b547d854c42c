"""Whether `torchrun` or `accelerate launch` started this process as one of several: they say so in the environment.

The process of rank 0 then runs the scenario; the others wait for it to reach the fit, and learn of the job through the
launcher's key-value store.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

JOB, NO_JOB = "polyloom/job", "null"
NAMES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Launched:
    """This process's number among all, and among those of this machine."""

    rank: int
    size: int
    local_rank: int
    address: str
    port: int

    @property
    def follows(self) -> bool:
        """Whether another process runs the scenario, and this one only helps to fit."""
        return self.rank > 0


def launched(environment: Mapping[str, str]) -> Launched | None:
    """This process's place among several, or None when it stands alone."""
    if any(not environment.get(name) for name in NAMES) or int(environment["WORLD_SIZE"]) == 1:
        return None
    return Launched(
        rank=int(environment["RANK"]),
        size=int(environment["WORLD_SIZE"]),
        local_rank=int(environment.get("LOCAL_RANK", "0")),
        address=environment["MASTER_ADDR"],
        port=int(environment["MASTER_PORT"]),
    )


def here(rank: int) -> str:
    """The key of the common store under which a process says that it waits for the job."""
    return f"polyloom/here/{rank}"


def dismiss(place: Launched) -> None:
    """Let processes go that still wait for a job: the run came to its end without one."""
    from training.team import meeting

    store = meeting(place.address, place.port, serves=False, patience=timedelta(minutes=1))
    if not store.check([JOB]):
        store.set(JOB, NO_JOB)
