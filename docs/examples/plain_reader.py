"""Reads a release without running any code of it: ONNX Runtime, numpy, tokenizers and Pillow, and this file.

    release = PlainRelease(Path("model"))              # the folder that the registry names, or a copy of it
    release.predict([{"title": "a red robot", "picture": png_bytes, "price": 12.0}])

It knows texts, characters, pictures, numbers and categories, and tasks that classify or give a number out of what
the modalities have in common. `plain.json` describes the others too, in the same way.
"""

import hashlib
import io
import json
import re
import sys
import unicodedata
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps
from tokenizers import Tokenizer


class PlainRelease:
    """One release; every byte of it is held against its manifest first."""

    def __init__(self, folder):
        self.bundle = folder / "bundle"
        self.plain = json.loads((folder / "plain.json").read_text(encoding="utf-8"))
        check(self.bundle, self.plain["digest"])
        self.prepared = {name: self.preparation(one) for name, one in self.plain["modalities"].items()}
        self.encoders = {name: self.session(one["graph"]) for name, one in self.plain["modalities"].items()}
        self.heads = {name: self.session(one["graph"]) for name, one in self.plain["tasks"].items()}

    def session(self, graph):
        """A graph that is ready to run; None where there is none."""
        if graph is None:
            return None
        return onnxruntime.InferenceSession(self.bundle / graph["file"], providers=["CPUExecutionProvider"])

    def preparation(self, modality):
        """What makes arrays of a row, or None of a row without this modality."""
        settings = json.loads((self.bundle / modality["settings"]).read_text(encoding="utf-8"))
        if settings["kind"] == "text":
            return tokens(settings, Tokenizer.from_file(str(self.bundle / modality["tokenizer"])))
        return KINDS[settings["kind"]](settings)

    def embedding(self, name, row):
        """A modality's vector, and whether the row has it."""
        arrays = self.prepared[name](row)
        if arrays is None:
            return np.zeros((1, self.plain["modalities"][name]["dim"]), np.float32), False
        if self.encoders[name] is None:
            return arrays["vector"], True
        reads = [one["name"] for one in self.plain["modalities"][name]["graph"]["inputs"]]
        return self.encoders[name].run(["pooled"], {read: arrays[read] for read in reads})[0], True

    def predict(self, rows):
        """For each row and task the probabilities by label, or the number."""
        return [{task: self.answer(task, row) for task in self.heads} for row in rows]

    def answer(self, task, row):
        """One task's answer, None where the row has nothing that it reads."""
        facts = self.plain["tasks"][task]
        if facts["reads"] != "fused":
            raise SystemExit(f"{task} reads {facts['reads']}, which this reader does not know")
        feed = {}
        for name in facts["inputs"]:
            vector, there = self.embedding(name, row)
            feed |= {name: vector, f"{name}_present": np.array([there], np.float32)}
        if not any(feed[f"{name}_present"][0] for name in facts["inputs"]):
            return None
        accepted = {one["name"] for one in facts["graph"]["inputs"]}
        found = self.heads[task].run(facts["outputs"], {name: feed[name] for name in accepted})
        return decoded(facts["decoder"], dict(zip(facts["outputs"], found, strict=True)))


def check(bundle, digest):
    """Stops at a file that is not as it was sealed."""
    files = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["files"]
    sums = {name: hashlib.sha256((bundle / name).read_bytes()).hexdigest() for name in files}
    changed = [name for name in files if sums[name] != files[name]["sha256"]]
    text = json.dumps(sums, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if changed or hashlib.sha256(text.encode()).hexdigest() != digest:
        raise SystemExit(f"{bundle} is not the release {digest}: {changed or 'its manifest'} was changed")


def decoded(decoder, outputs):
    """A head's outputs as calibrated probabilities, or as a number in the target's unit."""
    if decoder["kind"] == "regression":
        return float(outputs["values"][0]) * decoder["deviation"] + decoder["mean"]
    if decoder["kind"] != "classification" or "curves" in decoder:
        raise SystemExit(f"This reader does not know how {decoder['kind']} is decoded or calibrated")
    logits = outputs["logits"][0].astype(np.float64) / decoder["temperature"]
    if decoder["problem"] == "multilabel":
        return dict(zip(decoder["labels"], (1 / (1 + np.exp(-logits))).tolist(), strict=True))
    raised = np.exp(logits - logits.max())
    return dict(zip(decoder["labels"], (raised / raised.sum()).tolist(), strict=True))


def words_of(row, columns):
    """The row's texts, one a line; None where there is none."""
    parts = [str(row[name]).strip() for name in columns if row.get(name) is not None]
    return "\n".join(part for part in parts if part) or None


def tokens(settings, tokenizer):
    """Token ids."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=settings["max_tokens"])

    def prepare(row):
        text = words_of(row, settings["columns"])
        if text is None:
            return None
        ids = np.array([tokenizer.encode(text).ids], np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}

    return prepare


def characters(settings):
    """Hashed character n-grams, at length one."""
    rarity, dim = np.asarray(settings["rarity"], np.float32), settings["dim"]

    def prepare(row):
        text = words_of(row, settings["columns"])
        if text is None:
            return None
        vector = np.zeros((1, dim), np.float32)
        for gram, count in Counter(grams(text, settings["sizes"])).items():
            code = zlib.crc32(gram.encode())
            place = (code >> 1) % dim
            vector[0, place] += (1.0 if code & 1 else -1.0) * (1.0 + np.log(count)) * rarity[place]
        return {"vector": vector / (np.linalg.norm(vector) or 1.0)}

    return prepare


def grams(text, sizes):
    """The n-grams of each word, whose ends are marked unless it is Chinese or the like."""
    for word in re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower()):
        marked = word if ord(word[0]) > 0x2E7F else f"^{word}$"
        for size in sizes:
            yield from (marked[start : start + size] for start in range(len(marked) - size + 1))


def pixels(settings):
    """A picture file's bytes as normalised pixels: upright, cut to its centre, resized."""
    size, mean, deviation = settings["size"], np.float32(settings["mean"]), np.float32(settings["deviation"])
    way = Image.Resampling[settings["interpolation"].upper()]

    def prepare(row):
        if row.get(settings["column"]) is None:
            return None
        picture = ImageOps.exif_transpose(Image.open(io.BytesIO(row[settings["column"]])))
        if picture.has_transparency_data:
            layered = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)
        side = min(picture.size) * settings["crop"]
        left, top = ((length - side) / 2 for length in picture.size)
        box = None if settings["whole"] else (left, top, left + side, top + side)
        square = np.asarray(picture.convert("RGB").resize((size, size), way, box=box))
        scaled = square / (np.float32(255.0) * deviation) - mean / deviation
        return {"pixels": np.ascontiguousarray(scaled.transpose(2, 0, 1)[None], np.float32)}

    return prepare


def numbers(settings):
    """Standard scores, then which are missing."""
    mean, deviation = np.asarray(settings["mean"]), np.asarray(settings["deviation"])

    def prepare(row):
        given = [row.get(name) for name in settings["columns"]]
        if all(number is None for number in given):
            return None
        scores = np.clip((np.array([given], np.float64) - mean) / deviation, -5.0, 5.0)
        missing = np.isnan(scores)
        return {"vector": np.concatenate([np.where(missing, 0.0, scores), missing], axis=1).astype(np.float32)}

    return prepare


def categories(settings):
    """For each column a place for each known value, and one for any other."""

    def prepare(row):
        if all(row.get(column) is None for column in settings["values"]):
            return None
        places = []
        for column, known in settings["values"].items():
            value = None if row.get(column) is None else str(row[column])
            places += [float(value == word) for word in known]
            places.append(float(value is not None and value not in known))
        return {"vector": np.array([places], np.float32)}

    return prepare


KINDS = {"characters": characters, "image": pixels, "number": numbers, "category": categories}

if __name__ == "__main__":
    lines = [json.loads(line) for line in Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()]
    for answer in PlainRelease(Path(sys.argv[1])).predict(lines):
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
