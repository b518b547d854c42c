"""A release as an MLflow model: a folder with the bundle, the code that answers, and what both need.

The bundle's files are hard links, so that one of gigabytes is there at once and takes no room, and whoever copies or
downloads the folder has everything. Nothing in it is pickled; `plain.json` tells those who run no code of a model.
"""

import json
import platform
from pathlib import Path
from typing import Any

from polyloom.durable import publish_folder, read_json
from releases.closure import Closure, closure, moved
from releases.linking import link_tree
from releases.plain import description
from releases.pyfunc_names import BUNDLE, CODE, PLAIN, SCRIPT
from releases.requirements import requirements
from releases.signature import example, signature

MODELS = "models"
REQUIREMENTS, ENVIRONMENT = "requirements.txt", "python_env.yaml"
EXAMPLE, SERVED_EXAMPLE = "input_example.json", "serving_input_example.json"
SCRIPT_TEXT = '''"""Read by MLflow when this model is loaded: it runs the code in this folder, and unpickles nothing."""

from mlflow.models import set_model

from {package}.releases.pyfunc_model import ReleaseModel

set_model(ReleaseModel({digest!r}))
'''


def is_answerable(bundle: Path) -> bool:
    """Whether a folder holds a bundle that a model can be made of."""
    return (bundle / "application.json").is_file()


def model_folder(bundle: Path, digest: str, *, models: Path) -> Path:
    """The model of a sealed bundle, made where it is not there yet: `<models>/<scenario>/<digest>`."""
    name: str = read_json(bundle / "application.json")["name"]
    folder = models / name / digest
    if not folder.is_dir():
        with publish_folder(folder) as draft:
            write_model(draft, bundle, digest)
    return folder


def write_model(folder: Path, bundle: Path, digest: str) -> None:
    """Everything that the model is, into an existing folder."""
    link_tree(bundle, folder / BUNDLE)
    package = write_code(folder / CODE, closure())
    _write(folder / SCRIPT, SCRIPT_TEXT.format(package=package, digest=digest))
    needed = requirements(bundle)
    _write(folder / REQUIREMENTS, "".join(f"{line}\n" for line in needed))
    _write_json(folder / ENVIRONMENT, environment())
    row = example(bundle)
    _write_json(folder / EXAMPLE, row)
    _write_json(folder / SERVED_EXAMPLE, {"dataframe_split": row})
    _write_json(folder / PLAIN, description(bundle, digest))
    _write_json(folder / "MLmodel", declaration(bundle, digest, needed))


def write_code(folder: Path, needed: Closure) -> str:
    """The modules inside one package, whose name no other release's code has; gives this name.

    So a process can hold releases that other versions of the code have made, and packages of its own called `heads`.
    """
    package = f"polyloom_{needed.digest[:12]}"
    for module, path in needed.modules.items():
        place = (folder / package).joinpath(*module.split(".")).with_suffix(".py")
        _write(place, moved(path.read_text(encoding="utf-8"), into=package))
        for parent in place.relative_to(folder).parents[:-1]:
            (folder / parent / "__init__.py").touch()
    return package


def environment() -> dict[str, Any]:
    """Which Python, and where the packages are listed."""
    return {"python": platform.python_version(), "build_dependencies": [], "dependencies": [f"-r {REQUIREMENTS}"]}


def declaration(bundle: Path, digest: str, needed: list[str]) -> dict[str, Any]:
    """The file `MLmodel`: JSON, which YAML holds too. It has no times, so that a bundle has one model."""
    version = next(line.partition("==")[2] for line in needed if line.startswith("mlflow"))
    code = {
        "loader_module": "mlflow.pyfunc.loaders.code_model",
        "model_code_path": SCRIPT,
        "code": CODE,
        "artifacts": {BUNDLE: {"path": BUNDLE, "uri": BUNDLE}},
        "env": {"virtualenv": ENVIRONMENT},
        "python_version": platform.python_version(),
        "streamable": False,
    }
    return {
        "mlflow_version": version,
        "model_uuid": digest[:32],
        "flavors": {"python_function": code, "polyloom": {"bundle": BUNDLE, "plain": PLAIN}},
        "signature": signature(bundle),
        "saved_input_example_info": {
            "artifact_path": EXAMPLE,
            "type": "dataframe",
            "pandas_orient": "split",
            "serving_input_path": SERVED_EXAMPLE,
        },
        "metadata": {"polyloom.digest": digest, "polyloom.code": closure().digest},
    }


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _write_json(path: Path, value: object) -> None:
    _write(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
