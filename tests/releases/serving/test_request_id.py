"""Ids of requests: a caller's own where it can be nothing else."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ingestion.personal import find
from releases.serving.request_id import request_id


@pytest.mark.parametrize("own", ["0af7651916cd43dd8448eb211c80319c", "7d444840-9dc0-11d1-b245-5ffdce74fad2", "A" * 32])
def test_a_callers_id_is_kept(own):
    assert request_id(own) == own


@pytest.mark.parametrize(
    "given_id",
    [
        None,
        "",
        "alice",
        "alice@example.org",
        "7d444840-9dc0-11d1-b245-5ffdce74fad2\n",
        "0" * 31,
        "0" * 33,
        "g" * 32,
        "７d444840-9dc0-11d1-b245-5ffdce74fad2",
        "{7d444840-9dc0-11d1-b245-5ffdce74fad2}",
        "7d44-" * 8,
        "a" * 1_000_000,
    ],
)
def test_anything_else_is_not(given_id):
    own = request_id(given_id)
    assert own != given_id
    assert uuid.UUID(hex=own).version == 4


@pytest.mark.parametrize(
    "hiding",
    ["aaaaaaaa4111111111111111aaaaaaaa", "abcdefab-4915-1123-4567-8abcdefabcde", "aa004915112345678fffffffffffffff"],
)
def test_nor_is_a_card_or_a_telephone_number_between_letters(hiding):
    assert request_id(hiding) != hiding


@given(some.one_of(some.uuids().map(str), some.uuids().map(lambda one: one.hex)))
def test_nothing_personal_is_found_in_any_id(own):
    assert find(request_id(own)) == []


def test_most_ids_of_callers_are_kept():
    ids = [uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128).hex for number in range(1, 2001)]
    assert sum(request_id(one) == one for one in ids) > 1960
