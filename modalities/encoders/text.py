"""Text encoders: any BERT-type model of transformers."""

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from modalities.encoders.embeddings import Embeddings
from modalities.text_models import model_folder
from modalities.weights import mismatch
from polyloom.errors import RequestError, WeightsError

Pooling = Literal["mean", "cls"]


class TextEncoder(nn.Module):
    """Token ids and mask [batch, tokens] to embeddings; `mean` averages over the real tokens, `cls` takes the first.

    With a `window`, the texts are pairs with `token_type_ids`, and what is longer than `window` tokens is several
    windows side by side, as `PairPreparation` gives them: each is read alone, as if it were a row of its own.
    """

    def __init__(self, *, backbone: nn.Module, dim: int, pooling: Pooling, window: int | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.dim = dim
        self.pooling = pooling
        self.window = window

    @property
    def reads(self) -> tuple[str, ...]:
        """The preparation's arrays that it takes."""
        return ("input_ids", "attention_mask", *(("token_type_ids",) if self.window else ()))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Embeddings:
        """Embeddings of a batch."""
        if self.window is None or token_type_ids is None:
            tokens = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        else:
            tokens = self._windows(input_ids, attention_mask, token_type_ids, window=self.window)
        if self.pooling == "cls":
            return Embeddings(pooled=tokens[:, 0], tokens=tokens)
        real = attention_mask.unsqueeze(1).to(tokens.dtype)
        # As a product: ONNX Runtime adds up in another order where a sum's batch is a single row, and then the same
        # text has other last bits alone than among others.
        return Embeddings(pooled=(real @ tokens).squeeze(1) / real.sum(2).clamp(min=1.0), tokens=tokens)

    def token_embedding(self) -> Tensor:
        """The matrix [vocabulary, dim] that tokens are looked up in."""
        weight: Tensor = self.embedding_layer().weight  # type: ignore[assignment]
        return weight

    def embedding_layer(self) -> nn.Module:
        """The layer that looks tokens up, also where a strategy has wrapped the backbone."""
        from transformers import PreTrainedModel

        inner = next(module for module in self.backbone.modules() if isinstance(module, PreTrainedModel))
        layer: nn.Module = inner.get_input_embeddings()
        return layer

    def _windows(self, ids: Tensor, mask: Tensor, types: Tensor, *, window: int) -> Tensor:
        """Tokens [batch, tokens, dim], each window of a row read alone."""
        rows, length = ids.shape
        width = torch.sym_min(length, window)
        padding: Any = (width - length % width) % width
        folded_ids, folded_mask, folded_types = (
            functional.pad(array, [0, padding]).reshape(-1, width) for array in (ids, mask, types)
        )
        # A window that is all padding sees its first token: a softmax over nothing is no number.
        empty = (folded_mask.sum(1, keepdim=True) == 0).to(folded_mask.dtype)
        seen = torch.cat([torch.maximum(folded_mask[:, :1], empty), folded_mask[:, 1:]], dim=1)
        tokens: Tensor = self.backbone(
            input_ids=folded_ids, attention_mask=seen, token_type_ids=folded_types
        ).last_hidden_state
        return tokens.reshape(rows, length + padding, -1)[:, :length]


def build_text_encoder(
    *, model: str, weights: str, pooling: Pooling, window: int | None = None, layers: int | None = None
) -> TextEncoder:
    """An encoder with its weights loaded, for texts or, with a `window` of so many tokens, for pairs.

    With `layers` so many of its layers are kept, evenly spaced.
    Raises WeightsError when the weights cannot be had, RequestError when the model cannot tell a pair's texts apart.
    """
    from transformers import AutoConfig, AutoModel

    folder = model_folder(model=model, weights=weights)
    configuration = AutoConfig.from_pretrained(folder, local_files_only=True)
    if weights == "scratch":
        backbone: nn.Module = AutoModel.from_config(configuration)  # type: ignore[no-untyped-call]
    else:
        # The pooler is not used, and many published models were saved without one.
        backbone = loaded_model(folder, model=model, kind=AutoModel, unused=("pooler.",))
    if layers is not None:
        # Late: that module knows encoders by this one's class.
        from modalities.encoders.shortened import shorten

        shorten(backbone, layers=layers, model=model)
    if window is not None and getattr(configuration, "type_vocab_size", 0) < 2:
        raise RequestError(f"{model!r} knows no token types, by which a pair's two texts are told apart. Take a BERT.")
    return TextEncoder(backbone=backbone, dim=int(configuration.hidden_size), pooling=pooling, window=window)


def loaded_model(folder: Path, *, model: str, kind: Any, unused: tuple[str, ...] = ()) -> nn.Module:
    """The folder's model; unlike transformers, nothing that the file lacks is filled with random numbers.

    `kind` is one of transformers' classes. What begins with an `unused` name may be missing.
    """
    from safetensors import SafetensorError
    from transformers.utils import logging

    # The bar of one large file says nothing, and stands between the bars that do.
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        loaded, found = kind.from_pretrained(
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
    missing = sorted(name for name in found["missing_keys"] if not name.startswith(unused))
    wrong = sorted(str(entry[0]) for entry in found["mismatched_keys"])
    if missing or wrong:
        raise WeightsError(mismatch(str(folder), missing=missing, wrong=wrong))
    whole: nn.Module = loaded
    return whole
