"""Pictures of entities: drawn where there is something to draw."""

import numpy as np
from PIL import Image

from flows.entity_pictures import entity_pictures
from heads.token_decoding import TokenClassificationDecoder

DECODER = TokenClassificationDecoder(types=("LOC", "PER"))


def drawn(folder, values, told):
    tags = DECODER.encode(told)["tags"]
    outputs = {"logits": np.eye(len(DECODER.tags))[tags.clip(min=0)] * 9, "labelled": (tags >= 0).astype(np.float32)}
    entity_pictures(folder, "names", outputs, DECODER.encode(values), decoder=DECODER, title="News: names")
    return sorted(path.name for path in folder.iterdir())


def test_found_missed_and_invented_entities_are_drawn(tmp_path):
    values = [["B-PER", "O", "B-LOC"], ["O", "B-PER", "O"]]
    told = [["B-PER", "O", "O"], ["O", "B-LOC", "B-LOC"]]
    assert drawn(tmp_path, values, told) == ["names_confusion.png", "names_reliability.png"]
    with Image.open(tmp_path / "names_confusion.png") as picture:
        assert picture.width > 200


def test_missed_entities_alone_have_no_certainty_to_draw(tmp_path):
    assert drawn(tmp_path, [["B-PER"]], [["O"]]) == ["names_confusion.png"]


def test_without_entities_there_is_no_picture(tmp_path):
    assert drawn(tmp_path, [["O", "O"]], [["O", "O"]]) == []
