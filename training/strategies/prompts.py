"""Prompt and prefix tuning: learned tokens before the real ones, in front of a frozen transformer.

Text goes through peft. Picture transformers take tokens between their blocks, as in Jia et al., "Visual Prompt Tuning"
(2022): `prompt` is its shallow form, one row of tokens that passes all blocks; `prefix` its deep form, in which each
block has tokens of its own. Those act on a block only as further keys and values of its attention: a prefix.
"""

import warnings
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from modalities.encoders.layers import token_blocks
from modalities.encoders.text import TextEncoder
from polyloom.errors import RequestError
from training.strategies.tuning import Tuning, tuned

Kind = Literal["prompt", "prefix"]
ATTRIBUTE = "prompts"


class Hidden(NamedTuple):
    """What a text encoder reads of its backbone's output."""

    last_hidden_state: Tensor


class PromptedText(nn.Module):
    """A BERT inside peft, without the hidden states of the learned tokens."""

    def __init__(self, inner: nn.Module, *, kind: Kind) -> None:
        super().__init__()
        self.inner = inner
        self.kind = kind

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Hidden:
        """Hidden states [batch, tokens, dim] of the real tokens."""
        states: Tensor = self.inner(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return Hidden(states[:, states.shape[1] - input_ids.shape[1] :] if self.kind == "prompt" else states)


class PicturePrompts(nn.Module):
    """Learned tokens [blocks, tokens, dim], or [1, tokens, dim] where one row passes all blocks."""

    def __init__(self, *, rows: int, tokens: int, dim: int, place: int) -> None:
        super().__init__()
        self.place = place
        self.tokens = nn.Parameter(torch.empty(rows, tokens, dim).uniform_(-1, 1) * (6.0 / (2 * dim)) ** 0.5)

    def before(self, number: int) -> "PromptHook":
        """The hook that puts a row of tokens before block `number`, in the place of the row before."""
        return PromptHook(self, number)

    def without(self, states: Tensor) -> Tensor:
        """States [batch, tokens, dim] without the learned tokens."""
        return torch.cat([states[:, : self.place], states[:, self.place + self.tokens.shape[1] :]], dim=1)

    def after(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:  # noqa: ARG002
        """As the last block's forward hook: the states without the learned tokens."""
        return self.without(output)


class PromptHook:
    """Puts learned tokens before a block's real ones."""

    def __init__(self, prompts: PicturePrompts, number: int) -> None:
        self.prompts = prompts
        self.number = number

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:  # noqa: ARG002
        """A block's inputs, states first."""
        states, *rest = inputs
        if self.number:
            states = self.prompts.without(states)
        row = self.prompts.tokens[self.number].to(states.dtype).expand(len(states), -1, -1)
        place = self.prompts.place
        return (torch.cat([states[:, :place], row, states[:, place:]], dim=1), *rest)


def attach_prompts(encoder: nn.Module, *, kind: Kind, tokens: int, longest: int | None = None) -> Tuning:
    """Put learned tokens before the encoder's own and train nothing else.

    Lester et al., "The Power of Scale for Parameter-Efficient Prompt Tuning" (2021); Li and Liang, "Prefix-Tuning"
    (2021). `longest` is the length in tokens of the longest text. Raises RequestError for an encoder that is no
    transformer, or whose positions do not suffice.
    """
    if isinstance(encoder, TextEncoder):
        return attach_to_text(encoder, kind=kind, tokens=tokens, longest=longest)
    found = token_blocks(encoder)
    if found is None:
        raise RequestError(
            f"strategy {kind}: {type(encoder).__name__} over {type(getattr(encoder, 'backbone', encoder)).__name__} "
            "takes no further tokens; BERT-type text models and timm's VisionTransformer do. "
            "Use lora, adapter, last_blocks or full instead."
        )
    blocks, place = found
    rows = len(blocks) if kind == "prefix" else 1
    prompts = PicturePrompts(rows=rows, tokens=tokens, dim=int(encoder.backbone.embed_dim), place=place)  # type: ignore[union-attr,arg-type]
    for number, (_, block) in enumerate(blocks[:rows]):
        block.register_forward_pre_hook(prompts.before(number))
    blocks[-1][1].register_forward_hook(prompts.after)
    encoder.add_module(ATTRIBUTE, prompts.to(next(encoder.parameters()).device))
    return tuned(encoder, kind, [f"{ATTRIBUTE}.tokens"])


def attach_to_text(encoder: TextEncoder, *, kind: Kind, tokens: int, longest: int | None) -> Tuning:
    """Wrap a text encoder's backbone with peft."""
    from peft import PrefixTuningConfig, PromptTuningConfig, get_peft_model

    configuration = encoder.backbone.config
    room = int(configuration.max_position_embeddings)  # type: ignore[union-attr,arg-type]
    if longest is not None and longest + tokens > room:
        raise RequestError(
            f"strategy {kind}: {tokens} learned tokens and texts of up to {longest} do not fit into the model's {room} "
            f"positions. Write max_tokens: {room - tokens} at most, or fewer tokens."
        )
    settings = PromptTuningConfig if kind == "prompt" else PrefixTuningConfig
    with warnings.catch_warnings():
        # peft asks transformers for an attribute that is to be renamed.
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*is_gradient_checkpointing")
        inner = get_peft_model(encoder.backbone, settings(task_type="FEATURE_EXTRACTION", num_virtual_tokens=tokens))
    encoder.backbone = PromptedText(inner, kind=kind)
    return tuned(encoder, kind, [name for name, _ in encoder.named_parameters() if ".prompt_encoder." in name])
