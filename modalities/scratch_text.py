"""A small BERT that starts from nothing, over a given vocabulary: for a language that no weights at hand can read."""

from pathlib import Path

from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece

from modalities.weights import local_path
from polyloom.durable import file_digest, json_digest, publish_folder, write_json
from polyloom.errors import WeightsError
from polyloom.home import home

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
HEAD = 64
LONGEST = 512


def scratch_folder(*, vocabulary: str, layers: int, width: int) -> Path:
    """A model folder for `weights: scratch`, made once: config.json and tokenizer.json.

    `vocabulary` is a text file of one token a line, as BERT's vocab.txt; each Chinese character is a word of its own.
    """
    path = local_path(vocabulary, model="vocabulary")
    known = [line.rstrip("\r\n") for line in path.read_text(encoding="utf-8").splitlines()]
    missing = [token for token in SPECIAL if token not in known]
    if missing:
        raise WeightsError(
            f"vocabulary {vocabulary!r}: the token(s) {', '.join(missing)} are not in it. "
            "It holds one token a line, as the vocab.txt of a BERT model."
        )
    facts = {"vocabulary": file_digest(path), "layers": layers, "width": width}
    folder = home() / "cache" / "scratch" / json_digest(facts)[:32]
    if not folder.is_dir():
        with publish_folder(folder) as draft:
            write_json(draft / "config.json", configuration(known, layers=layers, width=width))
            tokenizer(known).save(str(draft / "tokenizer.json"))
    return folder


def configuration(known: list[str], *, layers: int, width: int) -> dict[str, object]:
    """The model's configuration: heads of 64 features, or one head for less."""
    return {
        "model_type": "bert",
        "vocab_size": len(known),
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, width // HEAD),
        "intermediate_size": 4 * width,
        "max_position_embeddings": LONGEST,
        "pad_token_id": known.index("[PAD]"),
    }


def tokenizer(known: list[str]) -> Tokenizer:
    """BERT's own way of cutting texts, over this vocabulary."""
    numbers = {token: number for number, token in enumerate(known)}
    made = Tokenizer(WordPiece(numbers, unk_token="[UNK]"))  # noqa: S106
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [(token, numbers[token]) for token in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    made.add_special_tokens(list(SPECIAL))
    return made
