"""Text encoders: any BERT-type model of transformers."""

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from modalities.encoders.embeddings import Embeddings
from modalities.text_models import model_folder
from modalities.weights import mismatch
from polyloom.errors import WeightsError

Pooling = Literal["mean", "cls"]


class TextEncoder(nn.Module):
    """Token ids and mask [batch, tokens] to embeddings; `mean` averages over the real tokens, `cls` takes the first."""

    reads = ("input_ids", "attention_mask")

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
        backbone = loaded_backbone(folder, model=model)
    return TextEncoder(backbone=backbone, dim=int(configuration.hidden_size), pooling=pooling)


def loaded_backbone(folder: Path, *, model: str) -> nn.Module:
    """The folder's model; unlike transformers, nothing that the file lacks is filled with random numbers."""
    from safetensors import SafetensorError
    from transformers import AutoModel
    from transformers.utils import logging

    # The bar of one large file says nothing, and stands between the bars that do.
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        backbone, found = AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, SafetensorError) as error:
        cause = str(error).strip().partition("\n")[0]
        raise WeightsError(
            f"the text model of {model!r} cannot be loaded from {str(folder)!r} ({cause[:200]}). "
            "A model folder holds config.json and model.safetensors."
        ) from error
    # The pooler is not used, and many published models were saved without one.
    missing = sorted(name for name in found["missing_keys"] if not name.startswith("pooler."))
    wrong = sorted(str(entry[0]) for entry in found["mismatched_keys"])
    if missing or wrong:
        raise WeightsError(mismatch(str(folder), missing=missing, wrong=wrong))
    loaded: nn.Module = backbone
    return loaded
