"""Heads that need no labels: guess hidden tokens, repaint hidden patches, clean noisy pictures.

They teach an encoder from unlabelled rows and are thrown away afterwards.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from heads.masking import NOT_ASKED


class MaskedLanguageHead(nn.Module):
    """Token embeddings to logits over the vocabulary, through the encoder's own embedding matrix.

    Devlin et al., "BERT" (2018): a layer, GELU, norm, then the transposed embedding matrix and a bias.
    """

    def __init__(self, *, dim: int, embedding_dim: int, vocabulary: int) -> None:
        super().__init__()
        self.layer = nn.Linear(dim, embedding_dim)
        self.norm = nn.LayerNorm(embedding_dim)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, tokens: Tensor, embedding: Tensor) -> Tensor:
        """Logits [places, vocabulary] of tokens [places, dim]; `embedding` is [vocabulary, embedding_dim]."""
        return functional.linear(self.norm(functional.gelu(self.layer(tokens))), embedding, self.bias)

    def loss(self, tokens: Tensor, embedding: Tensor, wanted: Tensor) -> Tensor:
        """Mean cross-entropy over the places where `wanted` [batch, tokens] is a token id, not -100."""
        asked = wanted != NOT_ASKED
        if not asked.any():
            return tokens.sum() * 0.0
        # Only the asked places go through the vocabulary: six in seven would be thrown away.
        return functional.cross_entropy(self(tokens[asked], embedding).float(), wanted[asked])


class PictureDecoder(nn.Module):
    """A feature map [batch, channels, height, width] to pixels [batch, 3, size, size] by one 1x1 filter and a shuffle.

    Xie et al., "SimMIM" (2022): a light decoder leaves the work to the encoder.
    """

    def __init__(self, *, channels: int, stride: int, size: int) -> None:
        super().__init__()
        self.filter = nn.Conv2d(channels, 3 * stride**2, kernel_size=1)
        self.stride = stride
        self.size = size

    def forward(self, features: Tensor) -> Tensor:
        """Pixels, normalised as the encoder's; what the last stride paints beyond the picture is cut off."""
        return functional.pixel_shuffle(self.filter(features), self.stride)[..., : self.size, : self.size]


def pixel_loss(painted: Tensor, pixels: Tensor, asked: Tensor) -> Tensor:
    """Mean absolute error over the asked pixels; `asked` is bool [batch, height, width]."""
    if not asked.any():
        return painted.sum() * 0.0
    return (painted - pixels).abs().mean(dim=1)[asked].mean()
