"""`polyloom doctor`: every check, over what this machine has now."""

import os
import shutil
from pathlib import Path

from flows import services, settings
from flows.doctor import habits, machine, packages, places, weights
from flows.doctor.finding import Finding
from flows.doctor.probe import Probe, probe
from modalities.weights import PACKAGED
from polyloom.home import home


def diagnose() -> list[Finding]:
    """Every finding, in the order in which faults would be met: packages, settings, places, machine."""
    environment = {**os.environ, **settings.environment(home(), os.environ)}
    looked = probe()
    return [*_packages(looked), *_habits(environment), *_places(environment), *_machine(looked, environment)]


def _packages(looked: Probe) -> list[Finding]:
    version = packages.installed_version
    return [
        packages.python_version(),
        packages.requirements(packages.declared_requirements()),
        packages.fastapi_with_prefect(version("prefect"), version("fastapi")),
        packages.sqlalchemy_with_prefect(version("prefect"), version("sqlalchemy")),
        packages.torch_pair(version("torch"), version("torchvision"), looked.torchvision_error),
    ]


def _habits(environment: dict[str, str]) -> list[Finding]:
    fresh = not (Path(environment["PREFECT_HOME"]) / "prefect.db").exists()
    return [
        habits.mlflow_store(environment["MLFLOW_TRACKING_URI"]),
        habits.mlflow_run(environment),
        habits.telemetry(environment),
        habits.result_serializer(environment),
        habits.startup_timeout(environment, fresh=fresh),
        habits.shadowed_modules(Path.cwd()),
    ]


def _places(environment: dict[str, str]) -> list[Finding]:
    writable = places.home_writable(home())
    room = [places.disk_space(shutil.disk_usage(home()).free, home())] if writable.ok else []
    databases = [home() / "mlflow.db", Path(environment["PREFECT_HOME"]) / "prefect.db"]
    return [
        writable,
        *room,
        *(places.database_lock(path) for path in databases),
        places.data_folder(environment),
        places.prefect_server(environment.get("PREFECT_API_URL")),
        places.services(services.status()),
    ]


def _machine(looked: Probe, environment: dict[str, str]) -> list[Finding]:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return [
        *(weights.packaged_weights(model) for model in PACKAGED),
        weights.hub_cache(environment),
        machine.device(torch_error=looked.torch_error, names=looked.devices, bf16=looked.bf16),
        machine.memory(total, os.cpu_count() or 1),
        _font(),
    ]


def _font() -> Finding:
    from matplotlib.font_manager import fontManager

    from flows.drawing import CHINESE_FONTS

    return machine.chinese_font(fontManager.get_font_names(), CHINESE_FONTS)
