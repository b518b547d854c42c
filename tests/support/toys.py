"""A tiny application whose answers are certain: toys with a drawn picture, words, a price and a material.

The colour stands in the picture and in the words, `cheap` follows from the price, `tags` from the words.
"""

import json
from pathlib import Path

import yaml
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 50, 220)}
THINGS = ("robot", "train", "puzzle", "kite")
MATERIALS = ("wood", "tin")
ROWS = 72
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def write_toys(folder: Path, *, name: str = "toys", **recipe: object) -> Path:
    """The rows, their pictures, a tiny BERT to start from, and the scenario; returns its path."""
    (folder / "pictures").mkdir(parents=True)
    rows = [toy(number, folder) for number in range(ROWS)]
    (folder / "toys.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    write_tiny_bert(folder / "tiny_bert")
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(scenario(name, folder, recipe), sort_keys=False), encoding="utf-8")
    return path


def toy(number: int, folder: Path) -> dict[str, object]:
    """One row; its picture is written."""
    colour = list(COLOURS)[number % 3]
    thing = THINGS[number % 4]
    price = 5.0 + number % 2 * 20 + number / 100
    red, green, blue = COLOURS[colour]
    picture = f"pictures/{number}.png"
    Image.new("RGB", (24, 24), (red, green, (blue + number) % 256)).save(folder / picture)
    return {
        "id": f"t{number}",
        "picture": picture,
        "title": f"a {colour} {thing} number {number}",
        "price": price,
        "material": MATERIALS[number % 2],
        "colour": colour,
        "cheap": "yes" if price < 20 else "no",
        "tags": [colour, *(["wheels"] if thing == "train" else [])],
    }


def scenario(name: str, folder: Path, recipe: dict[str, object]) -> dict[str, object]:
    """Every kind of modality, gated, and every kind of classification."""
    columns = {"price": "number", "material": "category", "colour": "category", "cheap": "category", "tags": "labels"}
    toys = {"kind": "table", "path": "toys.jsonl", "key": "id", "image": "picture", "text": ["title"]}
    classification = {"kind": "classification"}
    return {
        "name": name,
        "title": "Toys",
        "data": {"toys": {**toys, "columns": columns}},
        "modalities": {
            "image": {"kind": "image", "model": "test_resnet", "weights": "scratch", "size": 32, "train": "full"},
            "text": {"kind": "text", "model": str(folder / "tiny_bert"), "weights": "scratch", "max_tokens": 16},
            "chars": {"kind": "characters", "dim": 256, "columns": ["title"]},
            "price": {"kind": "number"},
            "material": {"kind": "category"},
        },
        "fusion": {"kind": "gated", "modality_dropout": 0.1},
        "tasks": {
            "colour": {**classification, "target": "colour", "inputs": ["image", "text", "chars"]},
            "cheap": {
                **classification,
                "target": "cheap",
                "inputs": ["price", "material", "chars"],
                "class_weights": "balanced",
            },
            "tags": {**classification, "target": "tags", "inputs": ["chars", "price"]},
        },
        "recipe": {"epochs": 12, "batch_size": 16, "learning_rate": 0.01, "patience": 0, **recipe},
        "index": {"rows": "toys", "embed": ["image", "chars"], "show": ["title", "price", "colour"]},
        "gate": {"metric": "colour.accuracy"},
    }


def write_tiny_bert(folder: Path) -> None:
    """A BERT of two small layers to start from nothing: its configuration and a tokenizer of whole words."""
    folder.mkdir()
    words = [*SPECIAL, *COLOURS, *THINGS, "a", "number", *map(str, range(ROWS))]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    configuration = {"model_type": "bert", "architectures": ["BertModel"], "vocab_size": len(words), **shape}
    (folder / "config.json").write_text(json.dumps({**configuration, "max_position_embeddings": 32}))


def write_picture_folders(folder: Path, *, name: str = "shades") -> Path:
    """A folder of pictures, one folder a class, and its scenario; returns the scenario's path."""
    for number in range(45):
        colour = list(COLOURS)[number % 3]
        (folder / "shades" / colour).mkdir(parents=True, exist_ok=True)
        red, green, blue = COLOURS[colour]
        Image.new("RGB", (20, 20), (red, green, (blue + number) % 256)).save(
            folder / "shades" / colour / f"{number}.png"
        )
    content = {
        "name": name,
        "title": "Shades",
        "data": {"pictures": {"kind": "pictures", "path": "shades"}},
        "modalities": {"image": {"kind": "image", "model": "test_resnet", "weights": "scratch", "size": 32}},
        "tasks": {"shade": {"kind": "classification", "target": "label"}},
        "recipe": {"strategy": "full", "epochs": 2, "learning_rate": 0.01, "encoder_learning_rate": 0.01},
        "index": {"rows": "pictures", "embed": ["image"]},
        "gate": {"metric": "shade.accuracy"},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path
