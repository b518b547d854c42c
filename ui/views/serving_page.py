"""Serving: the server over the champions as it stands, how much it is asked, and the predictions that it kept."""

from collections import deque
from itertools import pairwise

import streamlit as st

from ui import look, service

REFRESH_SECONDS = 2
SHOWN_MOMENTS = 90
SHOWN_PREDICTIONS = 10
MOMENTS = "serving_moments"


def show() -> None:
    """The page."""
    look.head("Serving", "The server over the champions: what it answers, how fast, and what it kept to be replayed.")
    url = service.server_url()
    if url is None:
        _nobody()
    else:
        st.fragment(_server, run_every=REFRESH_SECONDS)(url)
    _kept()


def _nobody() -> None:
    with st.container(border=True):
        st.html(look.title("No server of this home runs", is_big=True))
        st.markdown(
            "Start one in a terminal, or as one of the local services; a server elsewhere is named by a variable."
        )
        st.code("polyloom serve\npolyloom up api\nPOLYLOOM_API_URL=http://HOST:PORT polyloom ui", language="bash")


def _server(url: str) -> None:
    with look.kindly():
        found = service.serving(url)
        _state(found)
        if not found.is_open:
            st.info(
                "This server asks for access tokens, and tells its figures to those alone who have one with the scope "
                "metrics, such as Prometheus with the dashboard in infra/grafana."
            )
            return
        moments = _moments(found)
        for each in found.scenarios:
            with st.container(border=True, key=f"served_{each.name}"):
                _scenario(each)
        if found.refused:
            st.html(look.quiet("Refused since the start"))
            st.html(look.chips([(reason.replace("_", " "), f"{count:,}") for reason, count in found.refused.items()]))
        _pace(moments)


def _state(found: service.Serving) -> None:
    kept = {"on": "predictions are kept", "off": "no predictions are kept", "failing": "predictions cannot be kept"}
    words = [found.url, kept.get(found.log_state, found.log_state)]
    if found.memory_bytes:
        words.append(f"{found.memory_bytes / 2**20:,.0f} MiB")
    state = look.state("running" if found.is_ready else "closing")
    st.html(f'<div class="pl-row">{state}{look.title(" · ".join(words))}</div>')


def _scenario(each: service.ServedScenario) -> None:
    st.html(look.title(each.name, is_big=True) + look.chips([("version", each.version), ("digest", each.digest[:12])]))
    if each.stale_because:
        st.warning(
            f"Whether it is still the champion is not known: {look.plain(each.stale_because)}", icon=":material/info:"
        )
    p95 = "–" if each.p95_seconds is None else f"{1000 * each.p95_seconds:,.0f} ms"
    st.html(
        look.figures(
            [
                ("answered", f"{each.answered:,}"),
                ("rows", f"{each.rows:,}"),
                ("waiting now", f"{each.waiting:,}"),
                ("rows a second it manages", f"{each.rows_per_second:,.0f}" if each.rows_per_second else "–"),
                ("95 of 100 within", p95),
            ]
        )
    )


def _moments(found: service.Serving) -> deque[service.Serving]:
    """The last looks at this server, this one among them; a server that began anew has no past."""
    moments: deque[service.Serving] = st.session_state.setdefault(MOMENTS, deque(maxlen=SHOWN_MOMENTS))
    if moments and (moments[-1].url != found.url or _answered(moments[-1]) > _answered(found)):
        moments.clear()
    moments.append(found)
    return moments


def _pace(moments: deque[service.Serving]) -> None:
    """Requests that were answered a second, between each two looks."""
    if len(moments) < 2:
        return
    now = moments[-1].at
    rates = [
        (after.at - now, (_answered(after) - _answered(before)) / (after.at - before.at))
        for before, after in pairwise(moments)
    ]
    st.html(look.quiet("Answered requests a second, over the last seconds"))
    shown = {"seconds": [round(at, 1) for at, _ in rates], "requests/s": [rate for _, rate in rates]}
    st.line_chart(shown, x="seconds", y="requests/s", y_label="", height=180, color=look.ACCENT)


def _answered(found: service.Serving) -> int:
    return sum(each.answered for each in found.scenarios)


@st.fragment(run_every=REFRESH_SECONDS)
def _kept() -> None:
    st.subheader("Predictions kept last", anchor=False)
    found = service.kept_predictions(count=SHOWN_PREDICTIONS)
    if not found:
        st.html(look.quiet("None is kept in this home. A server keeps what it answers unless it is told --no-log."))
        return
    rows = [
        [
            f"{one.at:%m-%d %H:%M:%S}",
            one.scenario,
            one.action,
            f"{one.rows} of {one.together}" if one.together > one.rows else f"{one.rows}",
            one.release[:12],
            one.prediction,
        ]
        for one in found
    ]
    st.html(look.table(["when (UTC)", "application", "asked", "rows (of its batch)", "release", "prediction"], rows))
    st.html(look.quiet("The same scores again, bit for bit:"))
    st.code(f"polyloom replay {found[0].prediction}", language="bash")
