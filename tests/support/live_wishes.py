"""A tiny live release that recommends, explores and answers, made by the stages of a real run."""

from pathlib import Path

import yaml

from polyloom.home import home
from releases.bundle import verify
from releases.mlflow_store import SQLITE
from releases.registry import Registered, Registry
from tests.flows.test_uses import write_shop
from tests.support.mlflow_store import copy_store
from tests.support.stage_runs import job_for, packaged

EXPLORE = {"rule": "epsilon_greedy", "share": 0.5, "pool": 8}


def release_wishes(folder: Path, *, store: Path) -> Registered:
    """Fit, package and promote `wishes` over files in `folder`, in the present state folder."""
    path = write_shop(folder)
    scenario = yaml.safe_load(path.read_text(encoding="utf-8"))
    scenario["recommend"]["explore"] = EXPLORE
    path.write_text(yaml.safe_dump(scenario, sort_keys=False, allow_unicode=True), encoding="utf-8")
    bundle = packaged(job_for(path))
    copy_store(store, home() / "mlflow.db")
    registry = Registry(f"{SQLITE}{home() / 'mlflow.db'}", home() / "ledger")
    version = registry.register("wishes", bundle, verify(bundle).digest, None, {})
    return registry.promote("wishes", version, expected=None, who="test", why="first release")
