"""The head against naive loops: which token a word is read from, what padding may not change, what the loss counts."""

import numpy as np
import pytest
import torch

from heads.token_classification import TokenClassificationHead
from modalities.preparation.letters import LETTERS, letter_numbers

DIM, TAGS, TOKENS = 6, 5, 7
PLACES = torch.tensor([[1, 2, 4, 5], [1, 3, -1, -1], [-1, -1, -1, -1]])
WORDS = [["Ada", "met", "Bob", "."], ["in", "ROME"], []]


def head(**options):
    torch.manual_seed(0)
    return TokenClassificationHead(dim=DIM, tags=TAGS, dropout=0.0, **options).eval()


def characters(rows, *, words=4):
    table = torch.zeros(len(rows), words, 8, dtype=torch.long)
    for number, row in enumerate(rows):
        table[number, : len(row)] = torch.from_numpy(letter_numbers(row, letters=8))
    return table


def given(rows=3):
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randn(3, TOKENS, DIM, generator=generator)
    return tokens[:rows], {"places": PLACES[:rows], "characters": characters(WORDS)[:rows]}


KINDS = {
    "plain": {},
    "letters": {"letters": LETTERS},
    "neighbours": {"hidden": 3},
    "both": {"letters": LETTERS, "hidden": 3},
}


@pytest.fixture(params=list(KINDS))
def made(request):
    return head(**KINDS[request.param])


def test_each_word_is_read_from_its_first_token():
    plain, (tokens, side) = head(), given()
    logits = plain(tokens, side)["logits"]
    for row, places in enumerate(PLACES.tolist()):
        for word, place in enumerate(places):
            if place >= 0:
                torch.testing.assert_close(logits[row, word], plain.linear(tokens[row, place]))


def test_words_without_a_token_are_not_labelled(made):
    tokens, side = given()
    outputs = made(tokens, side)
    assert outputs["logits"].shape == (3, 4, TAGS)
    assert outputs["labelled"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]]
    assert torch.isfinite(outputs["logits"]).all()


def test_a_row_alone_gives_the_same_as_in_a_batch(made):
    tokens, side = given()
    together = made(tokens, side)["logits"]
    alone = made(tokens[1:2, :4], {"places": PLACES[1:2, :2], "characters": characters(WORDS[1:2], words=2)})["logits"]
    torch.testing.assert_close(alone[0], together[1, :2])


def test_capitals_tell_only_where_letters_are_read():
    tokens, side = given(rows=1)
    lower = {**side, "characters": characters([[word.lower() for word in WORDS[0]]])}
    for options, differs in ((KINDS["plain"], False), (KINDS["letters"], True)):
        one = head(**options)
        logits = [one(tokens, given_side)["logits"][0, 0] for given_side in (side, lower)]
        assert torch.equal(*logits) is not differs


def test_a_word_sees_its_neighbours_on_both_sides_only_with_the_reader():
    tokens, side = given(rows=1)
    changed = tokens.clone()
    changed[0, 4] += 1.0
    for options, seen in ((KINDS["plain"], [2]), (KINDS["neighbours"], [0, 1, 2, 3])):
        one = head(**options)
        moved = (one(tokens, side)["logits"] - one(changed, side)["logits"]).abs().amax(dim=2)[0]
        assert moved.gt(0).nonzero().flatten().tolist() == seen


def test_the_loss_is_the_mean_over_words_with_a_score_and_a_tag(made):
    tokens, side = given()
    outputs = made(tokens, side)
    tags = torch.tensor([[0, 3, -1, 1, -1], [4, 0, 2, -1, -1], [1, 1, -1, -1, -1]])
    # Row 2's third word and all of row 3 have no score; row 1's third word has no tag.
    costs = [
        -torch.log_softmax(outputs["logits"][row, word], dim=0)[tag]
        for row, word, tag in ((0, 0, 0), (0, 1, 3), (0, 3, 1), (1, 0, 4), (1, 1, 0))
    ]
    torch.testing.assert_close(made.loss(outputs, {"tags": tags}), torch.stack(costs).mean())


@pytest.mark.parametrize("width", [0, 4])
def test_without_a_known_tag_the_loss_is_nothing_yet_has_gradients(made, width):
    tokens, side = given()
    loss = made.loss(made(tokens, side), {"tags": torch.full((3, width), -1)})
    loss.backward()
    assert loss.item() == 0.0
    assert all(parameter.grad is not None for parameter in made.parameters())


def test_every_part_learns(made):
    tokens, side = given()
    tags = torch.tensor([[0, 3, 2, 1], [4, 0, -1, -1], [-1, -1, -1, -1]])
    made.loss(made(tokens, side), {"tags": tags}).backward()
    idle = [name for name, parameter in made.named_parameters() if not np.any(parameter.grad.numpy())]
    assert idle == []


def test_a_batch_without_words_passes(made):
    side = {"places": torch.full((2, 1), -1), "characters": characters([[], []], words=1)}
    outputs = made(torch.zeros(2, 2, DIM), side)
    assert outputs["labelled"].tolist() == [[0], [0]]
    assert made.loss(outputs, {"tags": torch.full((2, 3), -1)}).item() == 0.0
