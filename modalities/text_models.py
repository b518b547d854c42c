"""Where a text model's folder and tokenizer are, without torch."""

from pathlib import Path

from tokenizers import Tokenizer

from modalities.weights import hub_failure, local_path, packaged_folder
from polyloom.durable import read_json
from polyloom.errors import WeightsError


def load_tokenizer(*, model: str, weights: str) -> tuple[Tokenizer, int]:
    """The model's fast tokenizer and the id it pads with."""
    folder = model_folder(model=model, weights=weights)
    if (folder / "tokenizer.json").is_file():
        # Straight from the file: transformers takes seconds to import.
        padding = read_json(folder / "config.json").get("pad_token_id")
        return Tokenizer.from_file(str(folder / "tokenizer.json")), int(padding or 0)
    from transformers import AutoTokenizer

    fast = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return fast.backend_tokenizer, int(fast.pad_token_id or 0)


def model_folder(*, model: str, weights: str) -> Path:
    """The folder that holds the model's configuration, tokenizer and, unless from scratch, weights."""
    if weights == "packaged":
        return packaged_folder(model)
    if weights == "hub":
        return hub_folder(model)
    if weights == "scratch":
        return Path(model) if Path(model).is_dir() else packaged_folder(model)
    folder = local_path(weights, model=model)
    if not (folder / "config.json").is_file():
        raise WeightsError(
            f"weights {weights!r} of {model!r}: a text model is a folder with config.json, here is none."
        )
    return folder


def hub_folder(model: str) -> Path:
    """A model of the hub: from its local cache, else downloaded into it. `HF_HUB_OFFLINE` and `HF_HOME` hold."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    wanted = ["*.json", "*.txt", "*.safetensors"]
    try:
        return Path(snapshot_download(model, allow_patterns=wanted))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise hub_failure(model, error) from error
