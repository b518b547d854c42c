import io

import numpy as np
from PIL import Image

from heads.explanation import ColumnWeight, Evidence, KnownRow, WordWeight
from ui.reasons import heated_picture, known_row, signed_bars, tinted_text, weighed


def test_words_are_tinted_where_they_stand():
    words = (WordWeight("绿", 0, 1, 2.0), WordWeight("色", 1, 2, -1.0), WordWeight("<b>", 3, 6, 0.0))
    evidence = Evidence(("text", "chars"), "occlusion", text="绿色 <b>!", words=words)
    html = tinted_text(evidence)
    assert 'title="+2.00">绿</span><span' in html
    assert 'title="-1.00">色</span> <span style="background:#ffffff"' in html
    assert html.endswith("&lt;b&gt;</span>!")
    assert ">text, chars</div>" in weighed(evidence)


def test_columns_are_tinted_with_their_values():
    html = weighed(Evidence(("price",), "occlusion", columns=(ColumnWeight("price", 9.5, 1.0),)))
    assert ">price 9.5</span>" in html


def test_bars_go_to_the_side_of_their_sign():
    text, image = signed_bars({"text": 4.0, "image": -1.0}).split("+4.00")
    assert '<div class="pl-left"></div><div class="pl-right"><div style="width:100.0%">' in text
    assert '<div class="pl-left"><div style="width:25.0%"></div></div><div class="pl-right"></div>' in image


def test_a_picture_is_shown_under_its_colours():
    content = heated_picture(np.full((8, 8, 3), 90, np.uint8), Evidence(("image",), "occlusion", cells=((1.0, 0.0),)))
    pixels = np.asarray(Image.open(io.BytesIO(content))).astype(int)
    assert pixels.shape == (224, 224, 3)
    assert np.ptp(pixels[0, 0]) > 80
    assert np.ptp(pixels[0, -1]) < 10


def test_a_known_row_is_told_by_its_label():
    html = known_row(KnownRow("p4", "lamp", {"text": 0.9, "image": 0.7}, {"title": "A <lamp>", "category": "lamp"}))
    assert ">lamp</div>" in html
    assert "A &lt;lamp&gt;<" in html
    assert "cosine 0.80" in html
    assert ">p4</div>" in known_row(KnownRow("p4", None, {}, {}))
