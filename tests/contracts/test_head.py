"""What every head must keep, whatever it reads: in torch, and as the graph that is released."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from heads.alignment import AlignmentHead
from heads.alignment_decoding import AlignmentDecoder
from heads.box_decoding import DetectionDecoder
from heads.boxes import AnchorLevel
from heads.classification import ClassificationHead
from heads.decoder import Decoder
from heads.decoding import ClassificationDecoder
from heads.detection import DetectionHead
from heads.number_decoding import RegressionDecoder
from heads.onnx import OnnxHead
from heads.prototypes import Prototypes
from heads.regression import RegressionHead
from heads.relation import RelationHead
from heads.relation_decoding import RelationDecoder
from heads.span import SpanHead
from heads.span_decoding import SpanDecoder
from heads.token_classification import TokenClassificationHead
from heads.token_decoding import TokenClassificationDecoder
from modalities.encoders.onnx import open_session
from modalities.fusion import ConcatFusion
from training.export import export_head, fused_example, task_inputs
from training.task_models import FusedTask, MapTask, PairTask, TaskModel, TokenTask

DIMS = {"text": 6, "image": 4}


@dataclass(frozen=True)
class Case:
    """A task's model with its decoder, its graph's inputs for a few rows, their truth, and one that says nothing."""

    model: TaskModel
    decoder: Decoder
    inputs: dict[str, np.ndarray]
    truth: dict[str, Tensor]
    unknown: dict[str, Tensor] | None

    def outputs(self, rows=slice(None)) -> dict[str, Tensor]:
        arrays = {name: torch.from_numpy(np.ascontiguousarray(array[rows])) for name, array in self.inputs.items()}
        return self.model(task_inputs(self.model, arrays))


def fused(head: Callable[[int], torch.nn.Module]) -> TaskModel:
    fusion = ConcatFusion(dims=DIMS, modality_dropout=0.2, hidden=0, dropout=0.2)
    return FusedTask(fusion=fusion, head=head(fusion.dim))


def one_label() -> Case:
    given = ClassificationDecoder(problem="multiclass", labels=("a", "b", "c"))
    model = fused(lambda dim: ClassificationHead(dim=dim, labels=3, problem="multiclass"))
    truth, unknown = {"labels": torch.tensor([0, 2, 1])}, {"labels": torch.tensor([-1, -1, -1])}
    return Case(model, given, fused_example(DIMS), truth, unknown)


def nearest_label() -> Case:
    given = ClassificationDecoder(problem="multiclass", labels=("a", "b", "c"))
    model = fused(
        lambda dim: ClassificationHead(
            dim=dim, labels=3, problem="multiclass", prototypes=Prototypes(dim=dim, labels=3, scale=4.0)
        )
    )
    truth, unknown = {"labels": torch.tensor([0, 2, 1])}, {"labels": torch.tensor([-1, -1, -1])}
    return Case(model, given, fused_example(DIMS), truth, unknown)


def many_labels() -> Case:
    given = ClassificationDecoder(problem="multilabel", labels=("a", "b"))
    model = fused(lambda dim: ClassificationHead(dim=dim, labels=2, problem="multilabel"))
    truth = {"labels": torch.tensor([[True, False], [True, True], [False, False]])}
    return Case(model, given, fused_example(DIMS), truth, None)


def number() -> Case:
    truth, unknown = torch.tensor([1.0, -1.0, 0.5]), torch.full((3,), torch.nan)
    model = fused(lambda dim: RegressionHead(dim=dim, loss="huber"))
    given = RegressionDecoder(mean=2.0, deviation=3.0)
    return Case(model, given, fused_example(DIMS), {"values": truth}, {"values": unknown})


def entities() -> Case:
    given = TokenClassificationDecoder(types=("LOC",))
    random = np.random.default_rng(0)
    inputs = {
        "tokens": random.normal(size=(3, 7, 6)).astype(np.float32),
        "places": np.array([[1, 2, 4, 5], [1, 3, -1, -1], [1, 2, 3, -1]]),
        "characters": random.integers(1, 20, (3, 4, 5)),
    }
    model = TokenTask(modality="text", head=TokenClassificationHead(dim=6, tags=3, letters=20, hidden=4))
    truth = {"tags": torch.tensor([[1, 2, 0, -1, -1], [0, 1, -1, -1, -1], [0, 0, 1, -1, -1]])}
    return Case(model, given, inputs, truth, {"tags": torch.full((3, 5), -1)})


def pair() -> Case:
    head = AlignmentHead(dims=(DIMS["text"], DIMS["image"]), dim=5, hidden=3, dropout=0.1)
    truth = {"first": torch.tensor([0, -1, 2]), "second": torch.tensor([0, 1, 2])}
    unknown = {"first": torch.tensor([0, -1, -1]), "second": torch.tensor([-1, 0, -1])}
    model = PairTask(first="text", second="image", head=head)
    return Case(model, AlignmentDecoder(sides=("text", "image")), fused_example(DIMS), truth, unknown)


def tokens(rows: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(rows, 7, 6)).astype(np.float32)


def relation() -> Case:
    given = RelationDecoder(ClassificationDecoder(problem="multiclass", labels=("a(e1,e2)", "a(e2,e1)", "b")))
    model = TokenTask(modality="text", head=RelationHead(dim=6, labels=3, hidden=8, dropout=0.2))
    inputs = {"tokens": tokens(3), "markers": np.array([[1, 2, 4, 6], [3, 5, 1, 2], [2, 4, 5, 6]])}
    truth, unknown = {"labels": torch.tensor([0, 2, 1])}, {"labels": torch.tensor([-1, -1, -1])}
    return Case(model, given, inputs, truth, unknown)


def span() -> Case:
    model = TokenTask(modality="text", head=SpanHead(dim=6, dropout=0.2))
    windows = [(-1, -1), (0, 0), (0, 3), (4, 7), (-1, -1), (4, 7), (8, 11)]
    inputs = {"tokens": tokens(3), "offsets": np.array([windows] * 3)}
    truth = {"start": torch.tensor([4, 0, 8]), "end": torch.tensor([7, 0, 11])}
    unknown = {"start": torch.tensor([-1, -1, -1]), "end": torch.tensor([-1, -1, -1])}
    return Case(model, SpanDecoder(), inputs, truth, unknown)


def boxes() -> Case:
    levels = (AnchorLevel(4, 4, ((0.3, 0.3),)), AnchorLevel(2, 2, ((0.6, 0.6),)), AnchorLevel(1, 1, ((0.9, 0.9),)))
    head = DetectionHead(channels=(6, 10), levels=levels, labels=2, width=16, depth=1)
    random = np.random.default_rng(0)
    shapes = {"map0": (3, 6, 4, 4), "map1": (3, 10, 2, 2)}
    maps = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    nan = torch.full((4,), torch.nan)
    given = [torch.tensor([0.1, 0.1, 0.5, 0.4]), torch.tensor([0.5, 0.2, 0.9, 0.9])]
    truth = {
        "labels": torch.tensor([[0, 1], [1, -1], [-1, -1]]),
        "boxes": torch.stack([torch.stack(given), torch.stack([given[1], nan]), torch.stack([nan, nan])]),
        "known": torch.tensor([True, True, True]),
    }
    unknown = {**truth, "known": torch.tensor([False] * 3)}
    return Case(MapTask(modality="image", head=head), DetectionDecoder(("a", "b"), levels), maps, truth, unknown)


CASES: dict[str, Callable[[], Case]] = {
    "one label": one_label,
    "nearest label": nearest_label,
    "many labels": many_labels,
    "number": number,
    "entities": entities,
    "pair": pair,
    "relation": relation,
    "span": span,
    "boxes": boxes,
}


@pytest.fixture(params=list(CASES))
def case(request):
    torch.manual_seed(0)
    return CASES[request.param]()


def test_outputs_have_a_row_for_each_row(case):
    rows = len(next(iter(case.inputs.values())))
    case.model.eval()
    for name, output in case.outputs().items():
        assert len(output) == rows, name
        assert torch.isfinite(output).all(), name


def test_a_batch_equals_its_rows_one_by_one(case):
    case.model.eval()
    together = case.outputs()
    for row in range(len(next(iter(case.inputs.values())))):
        for name, output in case.outputs(slice(row, row + 1)).items():
            torch.testing.assert_close(output[0], together[name][row], rtol=0, atol=1e-5)


def test_the_loss_is_one_number_that_can_be_learned_from(case):
    case.model.train()
    loss = case.model.head.loss(case.outputs(), case.truth)
    loss.backward()
    assert loss.ndim == 0
    assert torch.isfinite(loss)
    grown = [parameter.grad for parameter in case.model.head.parameters() if parameter.grad is not None]
    assert grown
    assert any(gradient.any() for gradient in grown)


def test_learning_lowers_the_loss(case):
    case.model.eval()
    optimizer = torch.optim.Adam(case.model.parameters(), lr=0.02)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = case.model.head.loss(case.outputs(), case.truth)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_rows_without_a_truth_cost_nothing(case):
    if case.unknown is None:
        pytest.skip("in this task every row says something")
    loss = case.model.head.loss(case.outputs(), case.unknown)
    loss.backward()
    assert float(loss.detach()) == 0.0


def test_the_graph_gives_what_torch_gives_and_the_decoder_reads_it(case, tmp_path):
    parity = export_head(case.model, example=case.inputs, decoder=case.decoder, folder=tmp_path)
    assert 0 <= parity <= 1e-4
    head = OnnxHead(tmp_path, session=open_session(tmp_path / "model.onnx"))
    assert (head.reads, head.inputs, head.decoder) == (case.model.head.reads, case.model.inputs, case.decoder)
    found = head.run(case.inputs)
    with torch.inference_mode():
        expected = {name: output.numpy() for name, output in case.outputs().items()}
    assert set(found) == set(expected)
    for name, array in found.items():
        np.testing.assert_allclose(array, expected[name], atol=1e-4)


def test_weights_survive_the_disk(case, tmp_path):
    save_file(case.model.state_dict(), tmp_path / "task.safetensors")
    case.model.eval()
    before = case.outputs()
    with torch.no_grad():
        for parameter in case.model.parameters():
            parameter.add_(1.0)
    case.model.load_state_dict(load_file(tmp_path / "task.safetensors"))
    for name, output in case.outputs().items():
        torch.testing.assert_close(output, before[name])
