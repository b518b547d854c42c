"""What an encoder is to guess before it sees a label: rows in, batches of arrays, and their loss."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from heads.masking import Unit, Vocabulary, hidden_patches, mask_tokens
from heads.pretraining import MaskedLanguageHead, PictureDecoder, pixel_loss
from modalities.encoders.picture import PictureEncoder
from modalities.encoders.text import TextEncoder
from modalities.preparation.pictures import PicturePreparation
from modalities.preparation.protocol import Arrays
from modalities.preparation.text import TextPreparation
from polyloom.errors import RequestError
from training.inputs import Augmentation, PictureSource

PictureTask = Literal["masked", "denoising"]


class Objective(Protocol):
    """A task without labels over rows that it holds."""

    @property
    def module(self) -> nn.Module:
        """What is trained."""

    @property
    def encoder(self) -> nn.Module:
        """What is kept of it."""

    def batch(self, rows: np.ndarray, *, random: np.random.Generator, augment: bool) -> Arrays:
        """What the loss needs of these rows: the same under the same `random`."""

    def loss(self, arrays: Mapping[str, Tensor]) -> Tensor:
        """Mean loss of a batch."""

    def lengths(self) -> np.ndarray | None:
        """Cost of each row, where rows differ."""


class MaskedLanguage:
    """Hidden tokens of texts, guessed from the rest: Devlin et al., "BERT" (2018)."""

    def __init__(
        self,
        *,
        encoder: TextEncoder,
        preparation: TextPreparation,
        values: Sequence[str],
        share: float = 0.15,
        unit: Unit = "token",
    ) -> None:
        self.encoder = encoder
        self.share = share
        self.unit = unit
        self.vocabulary = vocabulary_of(preparation)
        self._texts = preparation.pieces(values)
        self._padding = preparation.padding_id
        embedding_dim = encoder.token_embedding().shape[1]
        head = MaskedLanguageHead(dim=encoder.dim, embedding_dim=embedding_dim, vocabulary=self.vocabulary.size)
        self.module = nn.ModuleDict({"encoder": encoder, "head": head})
        self._head = head

    def batch(self, rows: np.ndarray, *, random: np.random.Generator, augment: bool) -> Arrays:  # noqa: ARG002
        """`input_ids`, `attention_mask` and `wanted`, each [batch, tokens]."""
        texts = [self._texts[row] for row in rows]
        width = max(len(ids) for ids, _ in texts)
        ids = padded([ids for ids, _ in texts], width=width, filling=self._padding)
        words = padded([words for _, words in texts], width=width, filling=-1)
        masked = mask_tokens(
            ids, words=words, vocabulary=self.vocabulary, share=self.share, unit=self.unit, random=random
        )
        real = padded([np.ones_like(ids) for ids, _ in texts], width=width, filling=0)
        return {"input_ids": masked.input_ids, "attention_mask": real, "wanted": masked.wanted}

    def loss(self, arrays: Mapping[str, Tensor]) -> Tensor:
        """Mean cross-entropy of the hidden tokens."""
        tokens = self.encoder(arrays["input_ids"], arrays["attention_mask"]).tokens
        loss: Tensor = self._head.loss(tokens, self.encoder.token_embedding(), arrays["wanted"])
        return loss

    def lengths(self) -> np.ndarray:
        """Tokens of each text."""
        return np.array([len(ids) for ids, _ in self._texts], dtype=np.int64)


class PictureRepainting:
    """Pictures of which parts are hidden behind a learned colour, or that noise lies over, painted as they were.

    `masked` asks for the hidden patches (Xie et al., "SimMIM", 2022), `denoising` for the whole picture (Vincent et
    al., "Stacked Denoising Autoencoders", 2010). `patch` is in pixels, `noise` in deviations of the pixels.
    """

    def __init__(
        self,
        *,
        encoder: PictureEncoder,
        preparation: PicturePreparation,
        values: Sequence[object],
        task: PictureTask = "masked",
        share: float = 0.6,
        patch: int | None = None,
        noise: float = 0.5,
        augmentation: Augmentation = "none",
    ) -> None:
        self.encoder = encoder
        self.task = task
        self.share = share
        self.noise = noise
        self.size = preparation.size
        self.patch = patch or max(2, preparation.size // 7)
        self._source = PictureSource(preparation=preparation, values=values, augmentation=augmentation)
        channels, side = encoder.map_shape(self.size)
        stride = -(-self.size // side)
        self._decoder = PictureDecoder(channels=channels, stride=stride, size=self.size)
        self._colour = nn.Parameter(torch.zeros(3))
        self.module = nn.ModuleDict({"encoder": encoder, "decoder": self._decoder})
        self.module.register_parameter("colour", self._colour)

    def batch(self, rows: np.ndarray, *, random: np.random.Generator, augment: bool) -> Arrays:
        """`pixels` and `noise` [batch, 3, size, size], `hidden` bool [batch, size, size]."""
        pixels = self._source.arrays(rows, random=random if augment else None)["pixels"]
        shape = {"batch": len(rows), "size": self.size}
        if self.task == "masked":
            hidden = hidden_patches(**shape, patch=self.patch, share=self.share, random=random)
            return {"pixels": pixels, "hidden": hidden}
        noise = random.normal(scale=self.noise, size=pixels.shape).astype(np.float32)
        return {"pixels": pixels, "noise": noise}

    def loss(self, arrays: Mapping[str, Tensor]) -> Tensor:
        """Mean absolute error over the asked pixels."""
        pixels = arrays["pixels"]
        if "hidden" in arrays:
            asked = arrays["hidden"]
            shown = torch.where(asked.unsqueeze(1), self._colour[:, None, None], pixels)
        else:
            asked = torch.ones_like(pixels[:, 0], dtype=torch.bool)
            shown = pixels + arrays["noise"]
        return pixel_loss(self._decoder(self.encoder.last_map(shown)).float(), pixels, asked)

    def lengths(self) -> None:
        """All pictures cost the same."""
        return


def vocabulary_of(preparation: TextPreparation) -> Vocabulary:
    """What masking must know of a vocabulary. Raises RequestError for one without a token that hides others."""
    mask = preparation.mask_id
    if mask is None:
        raise RequestError(
            "pretrain: the text model's vocabulary has no [MASK] or <mask> token, so no word can be hidden behind it. "
            "Take another text model, or add the token to its tokenizer."
        )
    return Vocabulary(size=preparation.vocabulary_size, mask=mask, special=preparation.special_ids)


def padded(rows: Sequence[np.ndarray], *, width: int, filling: int) -> np.ndarray:
    """Rows of numbers as one table, int64 [rows, width]."""
    table = np.full((len(rows), width), filling, dtype=np.int64)
    for line, row in enumerate(rows):
        table[line, : len(row)] = row
    return table
