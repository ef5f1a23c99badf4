from __future__ import annotations

import pytest

from broker.embedded.matrix.query import InvalidMatrixQuery, LatestBy, MatrixQuery, Scope, parse


def test_a_selector_ends_where_a_key_comes_again() -> None:
    selectors = (
        "q[][pacticipant]=Foo&q[][version]=1&q[][pacticipant]=Bar&q%5B%5D%5Blatest%5D=true&q[][tag]=dev"
    )
    assert parse(f"{selectors}&latestby=cvpv") == MatrixQuery(
        selectors=(("Foo", Scope(version="1")), ("Bar", Scope(latest=True, tag="dev"))),
        others=Scope(),
        latest_by=LatestBy.CONSUMER_VERSION_PROVIDER_VERSION,
    )


def test_options_are_about_the_others() -> None:
    query = parse("q[][pacticipant]=Foo&q[][version]=1&tag=prod&latestby=cvp&latest=true&version=9")
    assert query.others == Scope(latest=True, tag="prod")
    assert query.latest_by is LatestBy.CONSUMER_VERSION_PROVIDER


@pytest.mark.parametrize(
    "query", ["", "latestby=nonsense", "q[][nonsense]=1", "q[][version]=1", "q[][pacticipant]="]
)
def test_a_query_without_a_pacticipant_is_refused(query: str) -> None:
    with pytest.raises(InvalidMatrixQuery):
        parse(query)
