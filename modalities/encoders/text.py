"""Text encoders: any BERT-type model of transformers."""

from pathlib import Path
from typing import Literal

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from modalities.encoders.embeddings import Embeddings
from modalities.weights import hub_failure, local_path, packaged_folder
from polyloom.errors import WeightsError

Pooling = Literal["mean", "cls"]


class TextEncoder(nn.Module):
    """Token ids and mask [batch, tokens] to embeddings; `mean` averages over the real tokens, `cls` takes the first."""

    def __init__(self, *, backbone: nn.Module, dim: int, pooling: Pooling) -> None:
        super().__init__()
        self.backbone = backbone
        self.dim = dim
        self.pooling = pooling

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Embeddings:
        """Embeddings of a batch."""
        tokens = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        if self.pooling == "cls":
            return Embeddings(pooled=tokens[:, 0], tokens=tokens)
        real = attention_mask.unsqueeze(-1).to(tokens.dtype)
        return Embeddings(pooled=(tokens * real).sum(1) / real.sum(1).clamp(min=1.0), tokens=tokens)


def build_text_encoder(*, model: str, weights: str, pooling: Pooling) -> TextEncoder:
    """An encoder with its weights loaded. Raises WeightsError when they cannot be had."""
    from transformers import AutoConfig, AutoModel

    folder = model_folder(model=model, weights=weights)
    configuration = AutoConfig.from_pretrained(folder, local_files_only=True)
    if weights == "scratch":
        backbone: nn.Module = AutoModel.from_config(configuration)  # type: ignore[no-untyped-call]
    else:
        backbone = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    return TextEncoder(backbone=backbone, dim=int(configuration.hidden_size), pooling=pooling)


def load_tokenizer(*, model: str, weights: str) -> tuple[Tokenizer, int]:
    """The model's fast tokenizer and the id it pads with."""
    from transformers import AutoTokenizer

    fast = AutoTokenizer.from_pretrained(model_folder(model=model, weights=weights), local_files_only=True)
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
