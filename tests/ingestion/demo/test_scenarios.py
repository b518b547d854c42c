import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from flows.spec import Scenario

SCENARIOS = Path(__file__).parents[3] / "scenarios"


def read(name):
    return Scenario.model_validate(yaml.safe_load((SCENARIOS / f"{name}.yaml").read_text(encoding="utf-8")))


@pytest.mark.parametrize(("table", "file"), [("items", "items.parquet"), ("interactions", "events.parquet")])
def test_shop_names_columns_that_are_made(shop, table, file):
    assert read("shop").data[table].column_names() <= set(pq.read_schema(shop / file).names)


def test_handbook_names_columns_that_are_made(handbook):
    first = (handbook / "questions.jsonl").read_text(encoding="utf-8").split("\n", 1)[0]
    assert read("handbook").data["questions"].column_names() <= set(json.loads(first))
    assert (handbook / "documents").is_dir()


def test_support_names_columns_that_are_made(support):
    first = (support / "questions.jsonl").read_text(encoding="utf-8").split("\n", 1)[0]
    assert read("support").data["questions"].column_names() <= set(json.loads(first))
