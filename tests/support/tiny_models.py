"""Models small enough for a test but real: a BERT folder as the hub keeps it, and pictures as files' bytes."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

WORDS = ("red", "blue", "shoe", "hat", "##s", "the", "a", "card", "lost", "my", "退", "款", "吗", "，", "?", ".")
INFERENCE = ("contradiction", "neutral", "entailment")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def write_bert(folder: Path, *, seed: int = 0, hidden: int = 32, layers: int = 2) -> Path:
    """A BERT of a few thousand weights: config.json, tokenizer.json, model.safetensors."""
    import torch
    from transformers import BertConfig, BertModel

    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder)
    torch.manual_seed(seed)
    configuration = BertConfig(
        vocab_size=len(SPECIAL) + len(WORDS),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=2 * hidden,
        max_position_embeddings=32,
    )
    BertModel(configuration).save_pretrained(folder)
    return folder


def write_inference(folder: Path, *, seed: int = 0, answers: Sequence[str] = INFERENCE) -> Path:
    """A BERT that judges pairs of texts, of a few thousand weights: it knows nothing, but always answers the same."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder)
    torch.manual_seed(seed)
    configuration = BertConfig(
        vocab_size=len(SPECIAL) + len(WORDS),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
        initializer_range=0.3,
        id2label=dict(enumerate(answers)),
        label2id={answer: place for place, answer in enumerate(answers)},
    )
    BertForSequenceClassification(configuration).save_pretrained(folder)
    return folder


def write_cross_encoder(folder: Path, *, answers: int = 1) -> Path:
    """A BERT that scores pairs of texts, of a few thousand weights."""
    return write_inference(folder, answers=[f"answer {number}" for number in range(answers)])


def write_tokenizer(folder: Path) -> None:
    """A WordPiece tokenizer over `WORDS`; every Chinese character is a word of its own."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [(word, vocabulary[word]) for word in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)


def png(pixels: np.ndarray, *, mode: str | None = None, **options: object) -> bytes:
    """Pixels as the bytes of a PNG file."""
    picture = Image.fromarray(pixels)
    return encoded(picture.convert(mode) if mode else picture, "PNG", **options)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    """A picture as the bytes of a file of that kind."""
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def noise(*, seed: int, height: int = 40, width: int = 40) -> np.ndarray:
    """A picture of smooth noise, uint8 [height, width, 3]."""
    random = np.random.default_rng(seed)
    return np.kron(random.integers(0, 256, (height // 4, width // 4, 3)), np.ones((4, 4, 1))).astype(np.uint8)
