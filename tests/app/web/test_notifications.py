"""What pages and the API say of the messages about changes: who is told, of what, and whether the last one arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from app.records import notifications
from app.records.notification_result import NotificationResult
from tests.app.web.dashboard.test_deliveries import text_of
from tests.app.web.dashboard.test_providers import with_providers
from tests.app.web.dashboard.test_signing_in import sign_in
from tests.support.run_rows import add_run, id_of

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

READER = {"Authorization": "Bearer a-token-that-only-reads"}
RUN = UUID(id_of(1))
TITLE = "A: 1 pact broken <b>"


def add(pool: ConnectionPool[Any], target: str, result: str | None = None, error: str | None = None) -> UUID:
    """Add a message about a run, which has ended with a result."""
    number = uuid4()
    with pool.connection() as connection:
        notifications.add(
            connection,
            number,
            provider="A",
            target=target,
            kind=target.split(maxsplit=1)[0],
            events=["broken"],
            content={"title": TITLE},
            run_ids=[RUN],
        )
        found = notifications.next_to_send(connection, number)
        assert found is not None
        if result is not None:
            host = "hooks.slack.com"
            notifications.finish(connection, found[0], NotificationResult(result), host=host, error=error)
    return number


def test_a_provider_shows_who_is_told_and_how_it_went(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    targets = [{"slack": {"env": "SLACK_URL"}, "events": ["broken", "healed"]}, {"url": {"env": "HOOK"}}]
    one = with_providers(client, "A", notify={"targets": targets, "outage_minutes": 30.0})
    text = text_of(one, "/providers/A")
    assert "Slack slack SLACK_URL broken, healed none yet" in text
    assert "notify.outage_minutes 30 " in text
    assert "notify.targets slack = from the variable SLACK_URL and events = broken, healed" in text
    add(pool, "slack SLACK_URL", "sent")
    add(pool, "url HOOK", "refused", "hooks.slack.com answered 404")
    text = text_of(one, "/providers/A")
    assert "Slack at hooks.slack.com slack SLACK_URL broken, healed taken" in text
    assert "not taken" in text
    assert "hooks.slack.com answered 404" in text


def test_nothing_of_it_is_shown_where_nobody_is_told(client: FlaskClient) -> None:
    sign_in(client)
    assert "Told of changes" not in client.get("/providers/A").text
    assert "did not arrive" not in client.get("/system").text


def test_a_run_shows_who_was_told_of_it(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    sign_in(client)
    add_run(pool, 1, outcome="failed")
    add(pool, "slack SLACK_URL", "sent")
    add(pool, "url HOOK", "given-up", "it gave no answer")
    add(pool, "teams TEAMS_URL")
    text = text_of(client, f"/runs/{RUN}")
    assert "Told slack SLACK_URL at hooks.slack.com: broken" in text
    assert "Not told url HOOK at hooks.slack.com: broken: it gave no answer" in text
    assert "teams TEAMS_URL: broken, not yet" in text


def test_the_system_shows_what_did_not_arrive(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    sign_in(client)
    add(pool, "slack SLACK_URL", "refused", "hooks.slack.com answered 404")
    page = client.get("/system").text
    assert "A: 1 pact broken &lt;b&gt;" in page
    assert "hooks.slack.com answered 404" in page
    assert "refused after" in page


def test_the_api_has_the_latest_message_to_each(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    path = "/api/providers/A/notifications"
    assert client.get(path).status_code == 401
    assert client.get(path, headers=READER).json == {"items": []}
    add(pool, "slack SLACK_URL", "sent")
    last = add(pool, "slack SLACK_URL", "refused", "no")
    document = client.get(path, headers=READER).json
    assert document is not None
    [item] = document["items"]
    assert (item["id"], item["result"], item["title"], item["attempts"]) == (str(last), "refused", TITLE, 1)


def test_messages_are_counted(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    add(pool, "slack SLACK_URL", "sent")
    add(pool, "slack SLACK_URL", "sent")
    add(pool, "url HOOK", "given-up", "no")
    text = client.get("/metrics", headers=READER).text
    assert 'pact_dispatch_notifications_total{kind="slack",result="sent"} 2.0' in text
    assert 'pact_dispatch_notifications_total{kind="url",result="given-up"} 1.0' in text
