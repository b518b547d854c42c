"""What people are told of a climb."""

from flows.ladder_report import ladder_end, ladder_figures, ladder_lines, ladder_rows
from training.strategies.ladder import Climb, RungReport

FROZEN = RungReport(
    strategy="frozen",
    kept=True,
    reason="0.8000, the first rung",
    epochs=30,
    metric=0.8,
    seconds=4.2,
    trained_parameters=1200,
)
FULL = RungReport(
    strategy="full",
    kept=False,
    reason="0.8100, +0.0100 (-0.0100 to +0.0300 at 95%): no significant gain",
    epochs=4,
    metric=0.81,
    difference=0.01,
    low=-0.01,
    high=0.03,
    seconds=90.0,
    trained_parameters=22_000_000,
)
POOR = RungReport(strategy="full", kept=False, reason="an epoch would take 95 s, 40 s are left")


def climb(*rungs):
    return Climb(rungs=rungs, best=0, stopped=f"{rungs[-1].strategy}: {rungs[-1].reason}", seconds=94.2).to_json()


def test_each_rung_is_a_line_and_the_end_another():
    first, second, end = ladder_lines(climb(FROZEN, FULL))
    assert first == "auto      * frozen: 0.8000, the first rung; 1,200 parameters, 4 s"
    assert second.startswith("auto        full: 0.8100, +0.0100 (-0.0100 to +0.0300 at 95%)")
    assert end.strip() == f"frozen is taken; full: {FULL.reason}"


def test_a_rung_that_was_not_fitted_has_only_its_reason():
    assert ladder_lines(climb(FROZEN, POOR))[1] == f"auto        full: {POOR.reason}"
    assert "auto.full.metric" not in ladder_figures(climb(FROZEN, POOR))


def test_the_card_has_no_times():
    rows = ladder_rows(climb(FROZEN, FULL))
    assert rows[1] == {
        "rung": "full",
        "taken": False,
        "on validation rows": 0.81,
        "gain": "+0.0100 (-0.0100 to +0.0300)",
        "trained parameters": 22_000_000,
        "epochs": 4,
    }
    assert rows[0]["gain"] == ""


def test_mlflow_gets_every_figure_by_its_rung():
    figures = ladder_figures(climb(FROZEN, FULL))
    assert (figures["auto.frozen.metric"], figures["auto.full.low"], figures["auto.full.seconds"]) == (0.8, -0.01, 90.0)
    assert "auto.frozen.low" not in figures


def test_without_auto_nothing_is_said():
    assert (ladder_lines(None), ladder_end(None), ladder_rows(None)) == ([], "", [])
