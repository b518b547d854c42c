"""Two tiny real releases, built without torch: `shop` (words and pictures) and `support` (questions, two languages).

Heads are nearest-class-centre graphs and the picture encoder is a flattened 8 x 8 thumbnail, so each answer can be
told beforehand: an item's own title or picture finds that item first and gives its own category.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw

from heads.decoding import ClassificationDecoder
from ingestion.demo.drawing import draw
from modalities.preparation.characters import CharacterPreparation
from modalities.preparation.pictures import PicturePreparation
from polyloom.durable import json_digest, read_json, write_json
from releases.bundle import seal
from releases.mlflow_store import SQLITE
from releases.registry import Registered, Registry
from retrieval.items import Field, Items
from retrieval.live import publish_index

CHARACTERS_DIM = 512
PIXELS_DIM = 3 * 8 * 8
SHARPNESS = 12.0

SHOP = [
    ("p01", "Red enamel mug", "红色搪瓷杯", 8.5, "mug", "red"),
    ("p02", "Blue stoneware mug", "蓝色陶瓷杯", 14.0, "mug", "blue"),
    ("p03", "White travel mug", "白色旅行杯", 19.9, "mug", "white"),
    ("p04", "Green desk lamp", "绿色台灯", 39.0, "lamp", "green"),
    ("p05", "Orange floor lamp", "橙色落地灯", 89.0, "lamp", "orange"),
    ("p06", "Small purple night lamp", "紫色小夜灯", 17.5, "lamp", "purple"),
    ("p07", "Yellow kitchen chair", "黄色餐椅", 65.0, "chair", "yellow"),
    ("p08", "Black folding chair", "黑色折叠椅", 49.0, "chair", "black"),
    ("p09", "Blue garden chair", "蓝色花园椅", 72.0, "chair", "blue"),
    ("p10", "Red wall clock", "红色挂钟", 28.0, "clock", "red"),
    ("p11", "Green alarm clock", "绿色闹钟", 12.0, "clock", "green"),
    ("p12", "White station clock", "白色车站钟", 34.0, "clock", "white"),
]
SUPPORT = [
    ("q01", "Where is my parcel?", "track", "delivery", "en"),
    ("q02", "My package never arrived", "track", "delivery", "en"),
    ("q03", "我的包裹在哪里？", "track", "delivery", "zh"),
    ("q04", "How do I send something back?", "return", "returns", "en"),
    ("q05", "I want to return an order", "return", "returns", "en"),
    ("q06", "怎么退货？", "return", "returns", "zh"),
    ("q07", "Which cards can I pay with?", "cards", "payment", "en"),
    ("q08", "可以用信用卡付款吗？", "cards", "payment", "zh"),
    ("q09", "Will it rain tomorrow?", None, "off_topic", "en"),
]
ANSWERS = {
    "track": {"en": "Open 'My orders' and choose 'Track'.", "zh": "请在“我的订单”中点击“物流跟踪”。"},
    "return": {"en": "Within 30 days: print the label in 'My orders'.", "zh": "30 天内，在“我的订单”里打印退货单。"},
    "cards": {"en": "Visa, Mastercard and UnionPay.", "zh": "支持 Visa、Mastercard 和银联。"},
}


def release_small_bundle(home: Path, *, name: str = "shop") -> Registered:
    """Build the bundle under `home`, register it in an MLflow SQLite there and make it champion."""
    draft = home / "releases" / name / "draft"
    digest = make_small_bundle(draft, name=name, blobs=home / "blobs")
    bundle = draft.rename(draft.with_name(digest))
    registry = Registry(f"{SQLITE}{home / 'mlflow.db'}", home / "ledger")
    version = registry.register(name, bundle, digest, None, {"polyloom.snapshot": "5" * 64})
    return registry.promote(name, version, expected=None, who="test", why="first release")


def make_small_bundle(folder: Path, *, name: str = "shop", blobs: Path | None = None) -> str:
    """Build and seal the bundle in `folder`; returns its digest. The items' pictures are written to `blobs`."""
    folder.mkdir(parents=True)
    (_make_shop if name == "shop" else _make_support)(folder, blobs or folder.parent / "blobs")
    return seal(folder)


def picture_of(item: str) -> bytes:
    """The PNG of a shop item; the same bytes each time."""
    place, (_, _, _, _, category, colour) = next((n, row) for n, row in enumerate(SHOP) if row[0] == item)
    content = io.BytesIO()
    drawn = draw(category=category, colour=colour, style="photo", rng=np.random.default_rng(place))
    drawn.save(content, format="PNG")
    return content.getvalue()


def _make_shop(folder: Path, blobs: Path) -> None:
    names = ("_key", "title", "title_zh", "price", "category", "colour")
    rows = [dict(zip(names, row, strict=True)) for row in SHOP]
    pictures = [picture_of(row["_key"]) for row in rows]
    for row, content in zip(rows, pictures, strict=True):
        row["picture"] = _put(blobs, content)
    vectors = {
        "chars": _characters(folder, rows, columns=("title", "title_zh")),
        "image": _pixels(folder, pictures, column="picture"),
    }
    _head(folder, "category", [row["category"] for row in rows], vectors)
    _finish(
        folder,
        rows,
        name="shop",
        title="Find products",
        gate="category.macro_f1",
        vectors=vectors,
        index={
            "show": ["title", "price", "category", "colour"],
            "columns": {
                "price": "number",
                **dict.fromkeys(("title", "title_zh"), "text"),
                **dict.fromkeys(("category", "colour"), "category"),
            },
            "group": None,
            "image": "picture",
        },
    )


def _make_support(folder: Path, _blobs: Path) -> None:
    names = ("_key", "text", "answer_id", "topic", "language")
    rows = [dict(zip(names, row, strict=True)) for row in SUPPORT]
    for row in rows:
        row["answer"] = ANSWERS[row["answer_id"]][row["language"]] if row["answer_id"] else None
    vectors = {"chars": _characters(folder, rows, columns=("text",))}
    _head(folder, "topic", [row["topic"] for row in rows], vectors)
    _finish(
        folder,
        rows,
        name="support",
        title="A help desk in two languages",
        gate="topic.accuracy",
        vectors=vectors,
        index={
            "show": ["text", "answer", "topic", "language"],
            "columns": {
                **dict.fromkeys(("text", "answer"), "text"),
                **dict.fromkeys(("answer_id", "topic", "language"), "category"),
            },
            "group": "answer_id",
            "image": None,
        },
    )


def _put(blobs: Path, content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    (blobs / sha256[:2]).mkdir(parents=True, exist_ok=True)
    (blobs / sha256[:2] / sha256).write_bytes(content)
    return sha256


def _characters(folder: Path, rows: Sequence[Mapping[str, object]], *, columns: Sequence[str]) -> np.ndarray:
    prepared = CharacterPreparation.fit(rows, columns=columns, dim=CHARACTERS_DIM, sizes=(1, 2, 3))
    target = folder / "preparation" / "chars"
    target.mkdir(parents=True)
    prepared.save(target)
    return prepared([prepared.value(row) for row in rows])["vector"]


def _pixels(folder: Path, pictures: Sequence[bytes], *, column: str) -> np.ndarray:
    """The thumbnails, and the encoder that only flattens them."""
    prepared = PicturePreparation(column=column, size=8, mean=[0.5] * 3, deviation=[0.5] * 3)
    target = folder / "preparation" / "image"
    target.mkdir(parents=True)
    prepared.save(target)
    given = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, 8, 8])
    pooled = helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["batch", PIXELS_DIM])
    graph = helper.make_graph([helper.make_node("Flatten", ["pixels"], ["pooled"])], "encoder", [given], [pooled])
    encoder = folder / "encoders" / "image"
    _save(graph, encoder / "model.onnx")
    write_json(encoder / "encoder.json", {"dim": PIXELS_DIM})
    return prepared(pictures)["pixels"].reshape(len(pictures), PIXELS_DIM)


def _head(folder: Path, task: str, truth: Sequence[str], vectors: Mapping[str, np.ndarray]) -> None:
    """Logits: SHARPNESS x the cosine-like score to each class's mean unit vector, added over what is present."""
    labels = sorted(set(truth))
    nodes, inputs, initializers, scores = [], [], [], []
    for name, given in vectors.items():
        unit = given / np.linalg.norm(given, axis=1, keepdims=True)
        centres = np.stack([unit[[label == own for own in truth]].mean(axis=0) for label in labels], axis=1)
        scale = SHARPNESS / np.linalg.norm(given, axis=1).mean()
        initializers += [numpy_helper.from_array((scale * centres).astype(np.float32), f"{name}_centres")]
        inputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", given.shape[1]])]
        inputs += [helper.make_tensor_value_info(f"{name}_present", TensorProto.FLOAT, ["batch"])]
        nodes += [
            helper.make_node("MatMul", [name, f"{name}_centres"], [f"{name}_raw"]),
            helper.make_node("Unsqueeze", [f"{name}_present", "last"], [f"{name}_mask"]),
            helper.make_node("Mul", [f"{name}_raw", f"{name}_mask"], [f"{name}_score"]),
        ]
        scores.append(f"{name}_score")
    initializers.append(numpy_helper.from_array(np.array([1]), "last"))
    nodes.append(helper.make_node("Sum", scores, ["logits"]))
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(labels)])
    _save(helper.make_graph(nodes, "head", inputs, [logits], initializers), folder / "heads" / task / "model.onnx")
    decoder = ClassificationDecoder(problem="multiclass", labels=tuple(labels), temperature=1.5)
    facts = {"reads": "fused", "inputs": list(vectors), "outputs": ["logits"], "decoder": decoder.to_json()}
    write_json(folder / "heads" / task / "head.json", facts)


def _save(graph: onnx.GraphProto, path: Path) -> None:
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True)
    path.write_bytes(model.SerializeToString())


def _finish(
    folder: Path,
    rows: Sequence[Mapping[str, object]],
    *,
    name: str,
    title: str,
    gate: str,
    vectors: Mapping[str, np.ndarray],
    index: Mapping[str, object],
) -> None:
    """The index, and what tells what the bundle is."""
    modalities = {modality: _modality(folder, modality, given.shape[1]) for modality, given in vectors.items()}
    publish_index(
        folder / "index",
        Items(
            ids=[str(row["_key"]) for row in rows],
            vectors=vectors,
            rows=pa.Table.from_pylist([dict(row) for row in rows]),
        ),
        fields={name: Field(str(modalities[name]["digest"]), given.shape[1]) for name, given in vectors.items()},
    )
    task = gate.partition(".")[0]
    write_json(
        folder / "application.json",
        {
            "name": name,
            "title": title,
            "modalities": modalities,
            "tasks": [task],
            "targets": {task: task},
            "index": {"embed": list(vectors), "weights": {}, **index},
        },
    )
    write_json(folder / "metrics.json", {task: {"accuracy": 0.9375, "macro_f1": 0.9312, "ece": 0.0421, "rows": 96}})
    write_json(folder / "snapshot.json", {"id": "5" * 64, "rows_in": 20, "rows_kept": 19, "rows_quarantined": 1})
    write_json(folder / "scenario.json", {"name": name, "title": title, "gate": {"metric": gate}})
    (folder / "card.md").write_text(f"# {title}\n\nA tiny release for tests. 测试用。\n", encoding="utf-8")
    _picture(folder / "pictures" / f"{task}.png", text=f"{task}: confusion matrix")


def _modality(folder: Path, name: str, dim: int) -> dict[str, object]:
    settings = read_json(folder / "preparation" / name / "preparation.json")
    encoder = folder / "encoders" / name / "encoder.json"
    return {
        "kind": settings["kind"],
        "encoder": "onnx" if encoder.is_file() else "vector",
        "digest": json_digest(settings),
        "dim": dim,
    }


def _picture(path: Path, *, text: str) -> None:
    path.parent.mkdir()
    picture = Image.new("RGB", (480, 320), "white")
    ImageDraw.Draw(picture).text((20, 20), text, fill="black")
    picture.save(path)
