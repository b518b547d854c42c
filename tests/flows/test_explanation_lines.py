from flows.explanation_lines import explanation_lines, listed, place_of_strongest
from heads.explanation import ColumnWeight, Evidence, Explanation, KnownRow, WordWeight

WORDS = (WordWeight("a", 0, 1, 0.1), WordWeight("lamp", 2, 6, 4.0))
EXPLANATION = Explanation(
    label="lamp",
    score=3.25,
    base=-1.0,
    contributions={"text": 4.5, "image": -0.25},
    evidence=(
        Evidence(
            ("text",), "occlusion", text="a lamp", words=(WordWeight("a", 0, 1, 0.1), WordWeight("lamp", 2, 6, 4))
        ),
        Evidence(("image",), "occlusion", cells=((0.0, 2.0), (0.0, 0.0))),
        Evidence(("price",), "occlusion", columns=(ColumnWeight("price", 9.5, -0.3),)),
    ),
    near=(KnownRow(id="p4", label="lamp", cosines={"text": 0.875}, row={"title": "台灯 " * 40, "price": None}),),
)


def test_a_terminal_is_told_what_counts():
    lines = explanation_lines({"category": EXPLANATION}, row=2)
    assert lines[0] == "row 2, category: 'lamp' scores +3.25, an empty row -1.00"
    assert lines[1] == "  modalities  text +4.50, image -0.25"
    assert lines[2] == "  text  lamp +4.00, a +0.10"
    assert lines[3] == "  image  most in the upper centre of the picture"
    assert lines[4] == "  price  price=9.5 -0.30"
    assert lines[5].startswith("  like it     lamp (text 0.88): 台灯 台灯")
    assert lines[5].endswith("…")
    assert len(lines) == 6


def test_the_strongest_come_first_whatever_their_sign():
    assert listed([("a", 0.5), ("b", -2.0), ("c", 1.0)], most=2) == "b -2.00, c +1.00"
    assert listed([]) == "nothing"


def test_places_have_words():
    cells = [[0.0] * 7 for _ in range(7)]
    cells[3][3] = 1.0
    assert place_of_strongest(cells) == "middle"
    cells[6][0] = 2.0
    assert place_of_strongest(cells) == "lower left"
