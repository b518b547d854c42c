"""Tags and spans: seqeval's default rule on cases worked out by hand, and schemes that give each other back."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from heads.entities import (
    Entity,
    allowed_transitions,
    continuing,
    entities_of,
    split_tag,
    tag_list,
    tag_names,
    tags_of,
)


@pytest.mark.parametrize(
    ("tags", "entities"),
    [
        ("", []),
        ("O O", []),
        ("B-PER I-PER O B-LOC", [("PER", 0, 2), ("LOC", 3, 4)]),
        ("B-PER B-PER", [("PER", 0, 1), ("PER", 1, 2)]),
        ("I-PER I-PER O I-LOC", [("PER", 0, 2), ("LOC", 3, 4)]),
        ("B-PER I-LOC", [("PER", 0, 1), ("LOC", 1, 2)]),
        ("O I-PER B-PER I-PER", [("PER", 1, 2), ("PER", 2, 4)]),
        ("B-PER I-PER E-PER S-LOC", [("PER", 0, 3), ("LOC", 3, 4)]),
        ("B-PER E-PER E-PER", [("PER", 0, 2), ("PER", 2, 3)]),
        ("E-PER I-PER", [("PER", 0, 1), ("PER", 1, 2)]),
        ("S-PER I-PER", [("PER", 0, 1), ("PER", 1, 2)]),
        ("O E-PER O", [("PER", 1, 2)]),
        ("B-PER L-PER U-LOC", [("PER", 0, 2), ("LOC", 2, 3)]),
        ("PER PER O LOC", [("PER", 0, 2), ("LOC", 3, 4)]),
        ("B-ORG-x I-ORG-x", [("ORG-x", 0, 2)]),
    ],
)
def test_entities_are_those_that_seqeval_finds(tags, entities):
    assert entities_of(tags.split()) == [Entity(*entity) for entity in entities]


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [("BIO", "B-A I-A I-A O B-B B-B"), ("BIOES", "B-A I-A E-A O S-B S-B")],
)
def test_tags_are_written_in_the_scheme(scheme, tags):
    entities = [Entity("A", 0, 3), Entity("B", 4, 5), Entity("B", 5, 6)]
    assert tags_of(entities, words=6, scheme=scheme) == tags.split()


ANY_TAGS = some.lists(some.sampled_from(["O", *(f"{prefix}-{kind}" for prefix in "BIES" for kind in "XY")]))


@given(ANY_TAGS, some.sampled_from(["BIO", "BIOES"]))
def test_what_is_written_is_read_again_and_obeys_the_scheme(tags, scheme):
    entities = entities_of(tags)
    written = tags_of(entities, words=len(tags), scheme=scheme)
    assert entities_of(written) == entities
    names = tag_names(("X", "Y"), scheme)
    allowed = allowed_transitions(names, scheme)
    numbers = [0, *(names.index(tag) for tag in written), 0]
    assert all(allowed[one, other] for one, other in itertools.pairwise(numbers))


def test_tags_of_a_scheme_come_type_by_type():
    assert tag_names(("LOC", "PER"), "BIO") == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert tag_names(("LOC",), "BIOES") == ("O", "B-LOC", "I-LOC", "E-LOC", "S-LOC")


def test_bio_forbids_only_an_inside_without_its_beginning():
    # O B-A I-A B-B I-B
    assert allowed_transitions(tag_names(("A", "B"), "BIO"), "BIO").astype(int).tolist() == [
        [1, 1, 0, 1, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 0, 1, 1],
        [1, 1, 0, 1, 1],
    ]


def test_bioes_ends_what_it_began():
    # O B-A I-A E-A S-A
    assert allowed_transitions(tag_names(("A",), "BIOES"), "BIOES").astype(int).tolist() == [
        [1, 1, 0, 0, 1],
        [0, 0, 1, 1, 0],
        [0, 0, 1, 1, 0],
        [1, 1, 0, 0, 1],
        [1, 1, 0, 0, 1],
    ]


def test_continuing_tags_are_inside_and_end():
    assert continuing(("O", "B-A", "I-A", "E-A", "S-A")).tolist() == [False, False, True, True, False]


def test_cells_of_a_table_are_lists_or_nothing():
    assert tag_list(np.array(["O", "B-A"], dtype=object)) == ["O", "B-A"]
    assert tag_list(["O"]) == ["O"]
    assert tag_list(None) == []
    assert split_tag("U-A") == ("S", "A")
