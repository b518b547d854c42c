"""AutoGluon's side of `benchmarks.training`, run by an interpreter of its own: needs nothing of polyloom.

`python -I autogluon_side.py CASE_FOLDER WORK_FOLDER SETTINGS_JSON` reads the rows, fits `MultiModalPredictor`, predicts
the test rows and writes `WORK_FOLDER/result.json`: versions, seconds of import, fit and prediction, and predictions.

AutoGluon keeps its defaults (batches of 8 accumulated to 128, learning rate 1e-4 with layer-wise decay, validation
twice an epoch, the greedy soup of the three best checkpoints, augmentation of pictures) but for: the checkpoints, the
number of epochs, 32-bit numbers (which it takes on every CPU, whatever is asked for), no GPU, no data loading processes
(they would be a second thread), our validation rows as `tuning_data`, and for entities 128 tokens instead of 512, to
which it pads every sentence.

**Entities.** AutoGluon scores them by a metric whose script it fetches from the hub. It is laid beside it as a file
that calls the same library, seqeval.

**The picture weights.** AutoGluon names a timm model and lets timm fetch its weights from the hub. Here they come
from a local file by timm's own door for models of a hub: `hf-hub:local/...` with `HF_HUB_OFFLINE=1` and a hub cache
whose `config.json` names architecture, normalisation and `pad_type`, as weights from TensorFlow need it. In our file
batch norm is folded into the filters (mean 0, variance 1), which only works while batch norm stays in evaluation mode,
and AutoGluon trains it in training mode: a net of such weights would fall apart at the first step. So, unless SETTINGS
says `"batch_norm": "folded"`, each batch norm gets the mean and variance that its own input has over 256 training
pictures, and the weight and bias which make it the same function again: equal in evaluation mode (checked), and
almost equal in training mode.
"""

import json
import os
import shutil
import sys
import time
from pathlib import Path

SEQEVAL = '''"""The hub's metric `seqeval`, over the same installed library."""

import datasets
import evaluate
from seqeval.metrics import accuracy_score, classification_report


class Seqeval(evaluate.Metric):
    def _info(self):
        tags = datasets.Sequence(datasets.Value("string"))
        features = datasets.Features({"predictions": tags, "references": tags})
        return evaluate.MetricInfo(description="", citation="", features=features)

    def _compute(self, predictions, references):
        report = classification_report(y_true=references, y_pred=predictions, output_dict=True, zero_division=0)
        overall = report.pop("micro avg")
        kinds = {
            name: {"precision": one["precision"], "recall": one["recall"], "f1": one["f1-score"]}
            for name, one in report.items()
            if not name.endswith(" avg")
        }
        return {
            **kinds,
            "overall_precision": overall["precision"],
            "overall_recall": overall["recall"],
            "overall_f1": overall["f1-score"],
            "overall_accuracy": accuracy_score(y_true=references, y_pred=predictions),
        }
'''
REPOSITORY = "local/picture-weights"
REVISION = "0" * 40
CALIBRATION_PICTURES = 256


def main(case_folder: Path, work: Path, settings: dict) -> None:
    """Fit, predict, write the result."""
    started = time.monotonic()
    case = json.loads((case_folder / "case.json").read_text(encoding="utf-8"))
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HOME"] = str(work / "hub")
    os.environ["AUTOMM_DISABLE_PROGRESS_BAR"] = "1"
    import autogluon.multimodal
    import torch
    from autogluon.multimodal import MultiModalPredictor

    torch.set_num_threads(settings["threads"])
    share_seqeval(work)
    imported = time.monotonic()
    tables = {split: table(case, case_folder / f"{split}.jsonl") for split in ("train", "validation", "test")}
    if case["picture"]:
        share_picture_weights(work / "hub", case, tables["train"], settings)
    prepared = time.monotonic()
    predictor = MultiModalPredictor(
        label=case["label"],
        problem_type="ner" if case["kind"] == "token_classification" else None,
        eval_metric="f1_macro" if case["metric"] == "macro_f1" else None,
        path=str(work / "model"),
        verbosity=settings.get("verbosity", 1),
    )
    predictor.fit(
        tables["train"],
        tuning_data=tables["validation"],
        hyperparameters=hyperparameters(case, settings),
        column_types=column_types(case),
        seed=settings["seed"],
    )
    fitted = time.monotonic()
    inputs = tables["test"].drop(columns=[case["label"]])
    predictions = [plain(answer) for answer in predictor.predict(inputs, as_pandas=False)]
    ended = time.monotonic()
    result = {
        "versions": {"autogluon.multimodal": autogluon.multimodal.__version__, "torch": torch.__version__},
        "seconds": {
            "import": imported - started,
            "read": prepared - imported,
            "fit": fitted - prepared,
            "predict": ended - fitted,
        },
        "predictions": predictions,
    }
    (work / "result.json").write_text(json.dumps(result), encoding="utf-8")


def hyperparameters(case: dict, settings: dict) -> dict:
    """What is not AutoGluon's default."""
    text = "ner_text" if case["kind"] == "token_classification" else "hf_text"
    given = {
        "optim.max_epochs": settings["epochs"],
        "env.num_gpus": 0,
        "env.num_workers": 0,
        "env.num_workers_inference": 0,
        "env.precision": 32,
    }
    if case["texts"]:
        given[f"model.{text}.checkpoint_name"] = settings["text_model"]
        given[f"model.{text}.max_text_len"] = case["max_tokens"]
    if case["picture"]:
        given["model.timm_image.checkpoint_name"] = f"hf-hub:{REPOSITORY}"
    return given


def column_types(case: dict) -> dict:
    """What the columns are, so that nothing is guessed."""
    if case["kind"] == "token_classification":
        return {"text": "text_ner", case["label"]: "ner_annotation"}
    pictures = {case["picture"]: "image_path"} if case["picture"] else {}
    return {**dict.fromkeys(case["texts"], "text"), **pictures, case["label"]: "categorical"}


def table(case: dict, path: Path):  # noqa: ANN201
    """A split as AutoGluon reads it; words and tags become a text and its annotations."""
    import pandas as pd

    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if case["kind"] != "token_classification":
        frame = pd.DataFrame(rows)
        if case["picture"]:
            frame[case["picture"]] = [str(path.parent / name) for name in frame[case["picture"]]]
        return frame[[*case["texts"], *([case["picture"]] if case["picture"] else []), case["label"]]]
    return pd.DataFrame(
        [{"text": " ".join(row["tokens"]), case["label"]: annotations(row["tokens"], row["tags"])} for row in rows]
    )


def annotations(words: list, tags: list) -> str:
    """BIO tags as AutoGluon's JSON: one entry an entity, with its characters in the joined words."""
    found = []
    place = 0
    for word, tag in zip(words, tags, strict=True):
        end = place + len(word)
        if tag.startswith("I-") and found and found[-1]["end"] == place - 1 and found[-1]["entity_group"] == tag[2:]:
            found[-1]["end"] = end
        elif tag != "O":
            found.append({"entity_group": tag[2:], "start": place, "end": end})
        place = end + 1
    return json.dumps(found)


def plain(answer: object) -> object:
    """A prediction as JSON: a label, or the entities as [start, end, label]."""
    if isinstance(answer, list):
        return [[int(part["start"]), int(part["end"]), part["entity_group"]] for part in answer]
    return str(answer)


def share_seqeval(work: Path) -> None:
    """Lay the metric that AutoGluon fetches from the hub into the folder where it looks first, the current one."""
    (work / "seqeval").mkdir()
    (work / "seqeval" / "seqeval.py").write_text(SEQEVAL)
    os.chdir(work)


def share_picture_weights(hub: Path, case: dict, train, settings: dict) -> None:  # noqa: ANN001
    """Lay the picture weights into a hub cache under `hub`."""
    folder = hub / "hub" / f"models--{REPOSITORY.replace('/', '--')}"
    snapshot = folder / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(REVISION)
    size = case["picture_size"]
    facts = {
        "architecture": settings["picture_model"],
        "num_classes": 1000,
        "num_features": 1280,
        "model_args": {"pad_type": "same"},
        "pretrained_cfg": {
            "input_size": [3, size, size],
            "mean": settings["picture_mean"],
            "std": settings["picture_deviation"],
            "interpolation": "bicubic",
            "crop_pct": settings["picture_crop"],
            "classifier": "classifier",
            "first_conv": "conv_stem",
            "num_classes": 1000,
        },
    }
    (snapshot / "config.json").write_text(json.dumps(facts))
    target = snapshot / "model.safetensors"
    if settings.get("batch_norm") == "folded":
        shutil.copyfile(settings["picture_weights"], target)
    else:
        unfold_batch_norm(settings, list(train[case["picture"]])[:CALIBRATION_PICTURES], size=size, target=target)


def unfold_batch_norm(settings: dict, paths: list, *, size: int, target: Path) -> None:
    """Write the weights with batch norms that know their input's mean and variance, as the same function.

    y = x + bias (mean 0, variance 1, weight 1) becomes y = weight * (x - mean) / sqrt(variance + epsilon) + bias' with
    weight = sqrt(variance + epsilon) * weight0 / sqrt(variance0 + epsilon) and bias' = what y is at x = mean.
    """
    import timm
    import torch
    from safetensors.torch import load_file, save_file

    model = timm.create_model(settings["picture_model"], pad_type="same").eval()
    model.load_state_dict(load_file(settings["picture_weights"]))
    pixels = torch.stack([picture(path, size=size, settings=settings) for path in paths])
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    sums = {norm: [0, 0.0, 0.0] for norm in norms}

    def note(norm, given) -> None:  # noqa: ANN001
        values = given[0].double()
        kept = sums[norm]
        kept[0] += values.numel() // values.shape[1]
        kept[1] += values.sum(dim=(0, 2, 3))
        kept[2] += (values**2).sum(dim=(0, 2, 3))

    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    with torch.inference_mode():
        before = torch.cat([model(part) for part in pixels.split(32)])
    for hook in hooks:
        hook.remove()
    for norm, (count, total, squares) in sums.items():
        mean = total / count
        variance = (squares / count - mean**2).clamp(min=0.0)
        gain = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        level = (mean - norm.running_mean.double()) * gain + norm.bias.double()
        norm.weight.data = (gain * (variance + norm.eps).sqrt()).float()
        norm.bias.data = level.float()
        norm.running_mean.data, norm.running_var.data = mean.float(), variance.float()
    with torch.inference_mode():
        after = torch.cat([model(part) for part in pixels.split(32)])
    difference = float((before - after).abs().max() / before.abs().max())
    if difference > 1e-3:
        sys.exit(f"the unfolded batch norms are another function: they differ by {difference:.1e}")
    save_file(model.state_dict(), str(target))


def picture(path: str, *, size: int, settings: dict):  # noqa: ANN201
    """One picture as the net takes it, [3, size, size]."""
    from PIL import Image
    from torchvision import transforms

    prepared = transforms.Compose(
        [
            transforms.Resize(size, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(size),
            transforms.ToTensor(),
            transforms.Normalize(settings["picture_mean"], settings["picture_deviation"]),
        ]
    )
    with Image.open(path) as opened:
        return prepared(opened.convert("RGB"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
