"""Runs: the latest ones, and one of them followed live; its id stands in the address bar."""

import streamlit as st

from ui import cached, look, service
from ui.views.choosing import choose

REFRESH_SECONDS = 2
ENDED = {"done", "failed", "interrupted"}


def show() -> None:
    """The page."""
    look.head("Runs", "What runs now and what ran before. The page only looks on: closing it stops nothing.")
    followed = st.query_params.get("run")
    if followed:
        scenario, _, run_id = followed.partition("/")
        _follow(scenario, run_id)
        if st.button("All runs", icon=":material/arrow_back:"):
            _turn_to()
    else:
        _start()
        _latest()


def _start() -> None:
    names = cached.overviews()
    with st.container(border=True):
        each = choose(names, label="Run an application")
        url = service.prefect_url()
        if each is None:
            st.html(look.quiet("There is no scenario. `polyloom init NAME` writes one."))
        elif url is None:
            st.markdown(
                "No Prefect server answers, so nothing can be started from here. "
                f"Start `polyloom up` and `polyloom deploy {each.name}`, or run it in a terminal:"
            )
            st.code(f"polyloom run {each.name}", language="bash")
        elif st.button("Run now", type="primary", icon=":material/play_arrow:"):
            with look.kindly(), st.spinner("Asking the Prefect server …"):
                _turn_to(f"{each.name}/{service.submit_run(each.name)}")


@st.fragment(run_every=REFRESH_SECONDS)
def _latest() -> None:
    runs = service.known_runs()
    if not runs:
        st.info("No run has left a journal here yet.")
    for run in runs:
        with st.container(border=True, key=f"run_{run.run_id}", horizontal=True, vertical_alignment="center"):
            words = f"{run.scenario} · started {look.ago(run.started)}{_took(run)}"
            st.html(f'<div class="pl-row">{look.state(run.state)}{look.title(words)}</div>' + look.quiet(run.run_id))
            if st.button("Follow" if run.state == "running" else "Open", key=f"open_{run.scenario}_{run.run_id}"):
                _turn_to(f"{run.scenario}/{run.run_id}")


def _follow(scenario: str, run_id: str) -> None:
    """Follow one run for as long as it goes on; a run that has ended is shown once."""
    run = service.find_run(scenario, run_id)
    is_over = run is not None and run.state in ENDED
    st.fragment(_one, run_every=None if is_over else REFRESH_SECONDS)(scenario, run_id)


def _one(scenario: str, run_id: str) -> None:
    run = service.find_run(scenario, run_id)
    if run is None:
        _waiting(scenario, run_id)
        return
    st.html(
        f'<div class="pl-row">{look.title(scenario, is_big=True)}{look.state(run.state)}</div>'
        + look.quiet(f"Started {look.ago(run.started)}{_took(run)} · {run_id}")
    )
    _elsewhere(run_id)
    if run.error:
        st.error(look.plain(run.error), icon=":material/error:")
    for stage in run.stages:
        _stage(stage)
    _figures(run)
    if run.log:
        with st.expander("Log", expanded=run.state in {"running", "failed"}):
            st.code("\n".join(run.log[-30:]), language=None, wrap_lines=True)


def _waiting(scenario: str, run_id: str) -> None:
    """A run that was submitted and waits for a worker, or one that nobody knows."""
    if service.prefect_url() is None:
        st.warning(f"No journal of the run {look.plain(f'{scenario}/{run_id}')} is kept here.")
        return
    with look.kindly():
        word = service.waiting_state(run_id)
        st.html(f'<div class="pl-row">{look.title(scenario, is_big=True)}{look.state(word)}</div>' + look.quiet(run_id))
        st.info("Waiting for a worker to take it. `polyloom status` shows whether one runs.")


def _elsewhere(run_id: str) -> None:
    found = service.links_of(run_id)
    with st.container(horizontal=True, gap="small"):
        if found.prefect:
            st.link_button("Prefect", found.prefect, icon=":material/open_in_new:")
        if found.mlflow:
            st.link_button("MLflow", found.mlflow, icon=":material/open_in_new:")


def _stage(stage: service.StageView) -> None:
    rate = f" · {stage.rate:,.1f} {stage.unit}/s" if stage.rate and stage.rate >= 1 and stage.unit != "s" else ""
    amount = f"{stage.done:,}{f' of {stage.total:,}' if stage.total else ''} {stage.unit}" if stage.done else ""
    words = [stage.name, amount + rate, look.duration(stage.seconds), stage.note]
    text = look.plain(" · ".join(word for word in words if word))
    share = 1.0 if stage.state == "done" else min(1.0, stage.done / stage.total) if stage.total else 0.0
    mark = {"failed": " :red[failed]", "interrupted": " :orange[interrupted]"}.get(stage.state, "")
    st.progress(share, text=text + mark)


def _figures(run: service.RunView) -> None:
    shown = [(look.metric(name), look.number(value)) for name, value in run.metrics.items() if name != "epoch"]
    if shown:
        st.html(look.figures(shown))
    series = service.metric_series(run.scenario, run.run_id)
    for column, (name, values) in zip(st.columns(max(len(series), 3)), series.items(), strict=False):
        column.html(look.quiet(f"{look.metric(name)}, by epoch"))
        epochs = {"epoch": list(range(1, len(values) + 1)), "value": values}
        column.line_chart(epochs, x="epoch", y="value", y_label="", height=170, color=look.ACCENT)


def _turn_to(run: str | None = None) -> None:
    """Show a run, or all of them. A link to the page that is open already would not change the address bar."""
    st.query_params.from_dict({"run": run} if run else {})
    st.rerun()


def _took(run: service.RunView) -> str:
    if run.started is None or run.ended is None:
        return ""
    return f" · took {look.duration((run.ended - run.started).total_seconds())}"
