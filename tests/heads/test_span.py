"""The span head's loss against naive sums, over windows and without an answer."""

import math

import pytest
import torch

from heads.span import IMPOSSIBLE, SpanHead, right_tokens

NONE, OTHER = (-1, -1), (0, 0)
# "[CLS] question [SEP] one two [SEP]": the context is "one two".
PLAIN = [NONE, OTHER, OTHER, (0, 3), (4, 7), OTHER]
# Two windows over "one two six"; both hold "two".
TWICE = [NONE, OTHER, (0, 3), (4, 7), OTHER, NONE, OTHER, (4, 7), (8, 11), OTHER]


def outputs(spans, start, end):
    return {
        "start": torch.tensor([start], requires_grad=True),
        "end": torch.tensor([end], requires_grad=True),
        "characters": torch.tensor([spans]),
    }


def truth(*ends):
    start, end = torch.tensor(ends).T
    return {"start": start, "end": end}


def loss(spans, start, end, *ends):
    return float(SpanHead(dim=2).loss(outputs(spans, start, end), truth(*ends)).detach())


def naive(logits, *right):
    return -math.log(sum(math.exp(logits[place]) for place in right) / sum(map(math.exp, logits)))


def test_only_the_context_and_no_answer_have_logits():
    head = SpanHead(dim=2).eval()
    found = head(torch.ones(1, 6, 2), {"offsets": torch.tensor([PLAIN])})
    assert (found["start"] > IMPOSSIBLE).tolist() == [[True, False, False, True, True, False]]
    assert (found["end"] > IMPOSSIBLE).tolist() == [[True, False, False, True, True, False]]
    assert found["characters"].tolist() == [[list(pair) for pair in PLAIN]]


def test_mean_cross_entropy_of_start_and_end():
    start, end = [0.1, -9.0, -9.0, 1.5, -0.5, -9.0], [0.0, -9.0, -9.0, -1.0, 2.0, -9.0]
    assert loss(PLAIN, start, end, (0, 7)) == pytest.approx((naive(start, 3) + naive(end, 4)) / 2, rel=1e-6)
    assert loss(PLAIN, start, end, (4, 7)) == pytest.approx((naive(start, 4) + naive(end, 4)) / 2, rel=1e-6)
    assert loss(PLAIN, start, end, (0, 0)) == pytest.approx((naive(start, 0) + naive(end, 0)) / 2, rel=1e-6)


def test_an_answer_within_a_token_is_that_token():
    starts, ends = right_tokens(torch.tensor([PLAIN]), torch.tensor([5]), torch.tensor([6]))
    assert starts.nonzero().tolist() == ends.nonzero().tolist() == [[0, 4]]


def test_windows_share_a_softmax_and_each_place_of_the_answer_is_right():
    start = [0.2, -9.0, 0.5, 1.0, -9.0, -0.3, -9.0, 0.7, 0.1, -9.0]
    end = [-0.2, -9.0, 0.0, 0.3, -9.0, 0.4, -9.0, 1.2, -1.0, -9.0]
    two, six, none = (4, 7), (8, 11), (0, 0)
    assert loss(TWICE, start, end, two) == pytest.approx((naive(start, 3, 7) + naive(end, 3, 7)) / 2, rel=1e-6)
    assert loss(TWICE, start, end, six) == pytest.approx((naive(start, 8) + naive(end, 8)) / 2, rel=1e-6)
    assert loss(TWICE, start, end, none) == pytest.approx((naive(start, 0, 5) + naive(end, 0, 5)) / 2, rel=1e-6)


def test_a_window_that_holds_half_of_the_answer_is_wrong():
    starts, ends = right_tokens(torch.tensor([TWICE]), torch.tensor([4]), torch.tensor([11]))
    assert starts.nonzero().tolist() == [[0, 7]]
    assert ends.nonzero().tolist() == [[0, 8]]


def test_rows_whose_answer_is_not_known_or_not_there_do_not_count():
    start, end = [0.1, -9.0, -9.0, 1.5, -0.5, -9.0], [0.0, -9.0, -9.0, -1.0, 2.0, -9.0]
    both = {name: tensor.repeat(2, *[1] * (tensor.ndim - 1)) for name, tensor in outputs(PLAIN, start, end).items()}
    alone = loss(PLAIN, start, end, (0, 3))
    for unknown in ((-1, -1), (40, 44)):
        assert float(SpanHead(dim=2).loss(both, truth((0, 3), unknown)).detach()) == pytest.approx(alone)
        nothing = SpanHead(dim=2).loss(outputs(PLAIN, start, end), truth(unknown))
        assert float(nothing.detach()) == 0.0
        nothing.backward()


def test_gradients_reach_the_encoder():
    tokens = torch.randn(1, 10, 2, requires_grad=True)
    head = SpanHead(dim=2)
    head.loss(head(tokens, {"offsets": torch.tensor([TWICE])}), truth((4, 7))).backward()
    touched = (tokens.grad[0].abs().sum(1) > 0).tolist()
    assert touched == [spans != OTHER for spans in TWICE]
