"""The page's door: `streamlit run ui/app.py`, from any folder. Navigation only."""

import streamlit as st

from ui import links, look
from ui.views import (
    ask_page,
    home_page,
    predict_page,
    recommend_page,
    release_page,
    runs_page,
    search_page,
    serving_page,
)


def main() -> None:
    """Show the page that the address bar names."""
    st.set_page_config(page_title="polyloom", page_icon=":material/grid_view:", layout="wide")
    st.html(look.STYLE)
    st.logo(look.LOGO, size="large")
    pages = {
        "": st.Page(home_page.show, title="Home", icon=":material/home:", url_path="", default=True),
        "search": st.Page(search_page.show, title="Search", icon=":material/search:", url_path="search"),
        "ask": st.Page(ask_page.show, title="Ask", icon=":material/forum:", url_path="ask"),
        "recommend": st.Page(recommend_page.show, title="Recommend", icon=":material/recommend:", url_path="recommend"),
        "predict": st.Page(predict_page.show, title="Predict", icon=":material/label:", url_path="predict"),
        "runs": st.Page(runs_page.show, title="Runs", icon=":material/timeline:", url_path="runs"),
        "serving": st.Page(serving_page.show, title="Serving", icon=":material/dns:", url_path="serving"),
        "release": st.Page(release_page.show, title="Release", icon=":material/inventory_2:", url_path="release"),
    }
    links.remember(pages)
    st.navigation(list(pages.values()), position="top").run()


if __name__ == "__main__":
    main()
