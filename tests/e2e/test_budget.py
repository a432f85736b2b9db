"""Pages are light, complete without a script, and talk to nobody else."""

from urllib.parse import urlsplit

from tests.e2e.states import State
from tests.e2e.tour import Tour, every_look, every_page, every_page_without_scripts

MOST_BYTES = 60_000
PRODUCT_PICTURES = ("/static/demo/", "/media/")


@every_page
def test_a_page_is_light(tour: Tour, state: State, lang: str) -> None:
    visit = tour.visit(state, lang)

    own = [url for url in visit.resources if not any(one in url for one in PRODUCT_PICTURES)]
    parts = {url: tour.size_of(url) for url in own}
    assert len(visit.html.encode()) + sum(parts.values()) < MOST_BYTES, parts


@every_page
def test_a_page_is_complete_before_a_script_runs(tour: Tour, state: State, lang: str) -> None:
    visit = tour.visit(state, lang)

    assert visit.text_before_scripts == visit.text


@every_page_without_scripts
def test_a_page_is_complete_without_a_script(tour: Tour, state: State, lang: str) -> None:
    assert tour.visit(state, lang, scripts=False).text == tour.visit(state, lang).text


@every_look
def test_a_page_talks_to_nobody_else(tour: Tour, state: State, lang: str, *, scripts: bool) -> None:
    hosts = tour.visit(state, lang, scripts=scripts).hosts

    assert hosts == {urlsplit(tour.service.url).netloc}
