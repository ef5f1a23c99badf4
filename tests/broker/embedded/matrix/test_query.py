from __future__ import annotations

import pytest

from broker.embedded.matrix.query import InvalidMatrixQuery, LatestBy, MatrixQuery, Scope, Selector, parse


def test_a_selector_ends_where_a_key_comes_again() -> None:
    selectors = (
        "q[][pacticipant]=Foo&q[][version]=1&q[][pacticipant]=Bar&q%5B%5D%5Blatest%5D=true&q[][tag]=dev"
    )
    assert parse(f"{selectors}&latestby=cvpv") == MatrixQuery(
        selectors=(Selector("Foo", Scope(version="1")), Selector("Bar", Scope(latest=True, tag="dev"))),
        others=Scope(),
        latest_by=LatestBy.CONSUMER_VERSION_PROVIDER_VERSION,
        limit=100,
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


def test_rows_can_be_chosen_by_outcome_and_number() -> None:
    query = parse("q[][pacticipant]=Foo&success[]=true&success[]=&limit=7")
    assert query.successes == {True, None}
    assert query.limit == 7
    assert parse("q[][pacticipant]=Foo&success=false").successes == {False}


@pytest.mark.parametrize(
    ("query", "mistake"),
    [
        ("q[]=Foo", "Please specify the pacticipant name"),
        (
            "q[][pacticipant]=Foo&q[][version]=1&q[][latest]=true",
            "A version number and latest flag cannot both",
        ),
        ("q[][pacticipant]=Foo&limit=0", "The limit must be 1 or greater."),
        ("q[][pacticipant]=Foo&tag=a&environment=b", "Cannot specify more than one of tag, environment and"),
        (
            "q[][pacticipant]=Foo&latest=true&environment=b",
            "Cannot specify both latest=true and an environment.",
        ),
        ("q[][pacticipant]=Foo&ignore[][version]=1", "Please specify the pacticipant name to ignore"),
        ("q[][pacticipant]=Foo&latestby=x", "latestby must be one of: cp, cvp, cvpv"),
    ],
)
def test_a_query_that_says_too_much_or_nothing_is_refused(query: str, mistake: str) -> None:
    with pytest.raises(InvalidMatrixQuery) as refused:
        parse(query)
    (message,) = refused.value.messages
    assert message.startswith(mistake)
