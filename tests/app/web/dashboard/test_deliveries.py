"""The pages of deliveries: what came in, what was answered, and delivering it again."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from app.intake.refusal_words import WORDS
from tests.app.web.dashboard.test_signing_in import READER, form_token, sign_in
from tests.support.shown import words_in

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool
    from werkzeug.test import TestResponse

PACT = "http://broker.example.org/base/pacts/provider/A/consumer/C/latest"
TOKEN = "a-token-of-the-broker"


def dispatch(
    client: FlaskClient, *, repository: str = "a/b", token: str = TOKEN, **payload: Any
) -> TestResponse:
    return client.post(
        f"/repos/{repository}/dispatches",
        json={"event_type": "pact_changed", "client_payload": {"pact_url": PACT, **payload}},
        headers={"Authorization": f"Bearer {token}", "User-Agent": "Pact Broker v2.107"},
    )


def id_of(answer: TestResponse) -> str:
    return answer.headers["X-GitHub-Request-Id"]


def listed(client: FlaskClient, query: str = "") -> list[str]:
    answer = client.get(f"/deliveries{query}")
    assert answer.status_code == 200, answer.text
    return re.findall(r'<tr id="delivery-([0-9a-f-]+)"', answer.text)


def text_of(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return words_in(answer.text)


def test_the_list_says_what_became_of_each_delivery(client: FlaskClient) -> None:
    sign_in(client)
    assert "Nothing was delivered yet" in client.get("/deliveries").text
    accepted, coalesced = id_of(dispatch(client)), id_of(dispatch(client))
    refused = id_of(dispatch(client, repository="un/known"))
    assert listed(client) == [refused, coalesced, accepted]
    page = client.get("/deliveries").text
    assert "unknown-repository" in page
    assert page.count("a run that waited already") == 1
    assert page.count('href="/runs/') == 2
    assert "Pact Broker v2.107" in page


def test_the_list_is_filtered_by_its_address(client: FlaskClient) -> None:
    sign_in(client)
    accepted = id_of(dispatch(client))
    unknown = id_of(dispatch(client, repository="un/known"))
    stranger = id_of(dispatch(client, token="wrong"))
    assert listed(client, "?answer=2xx") == [accepted]
    assert listed(client, "?answer=4xx") == [stranger, unknown]
    assert listed(client, "?sender=broker") == [unknown, accepted]
    assert listed(client, "?refusal=bad-token") == [stranger]
    assert listed(client, "?repository=a/b&answer=2xx") == [accepted]
    assert listed(client, "?source=&answer=&refusal=&repository=&sender=") == [stranger, unknown, accepted]
    assert "No delivery is like that" in client.get("/deliveries?source=github").text
    assert client.get("/deliveries?answer=3xx").status_code == 422
    assert 'value="2xx" selected' in client.get("/deliveries?answer=2xx").text


def test_paging_stays_where_it_was_while_new_ones_come_in(client: FlaskClient) -> None:
    sign_in(client)
    ids = [id_of(dispatch(client, sha=f"{number:040x}")) for number in range(5)]
    page = client.get("/deliveries?limit=2&sender=broker").text
    dispatch(client)
    older = re.search(r'href="(/deliveries\?[^"]+)" rel="next"', page)
    assert older is not None
    assert listed(client, older[1].removeprefix("/deliveries").replace("&amp;", "&")) == ids[2:0:-1]


def test_a_delivery_shows_its_request_and_the_answer_without_secrets(client: FlaskClient) -> None:
    sign_in(client)
    answer = dispatch(client, repository="un/known", note="<script>alert(1)</script>")
    shown = client.get(f"/deliveries/{id_of(answer)}").text
    assert "Authorization: Bearer **********" in shown
    assert TOKEN not in shown
    assert "Content-Type: application/json" in shown
    text = text_of(client, f"/deliveries/{id_of(answer)}")
    assert WORDS["unknown-repository"].meaning in text
    assert "no provider has the repository un/known" in text
    assert "404 Not Found" in text
    assert f"X-GitHub-Request-Id: {id_of(answer)}" in text
    stored = re.search(r"(\{[^<]*documentation_url[^<]*\})", shown)
    assert stored is not None
    assert json.loads(stored[1].replace("&#34;", '"')) == answer.json


def test_a_field_at_fault_is_shown_as_it_was_answered_and_hostile_texts_stay_texts(
    client: FlaskClient,
) -> None:
    sign_in(client)
    answer = dispatch(
        client, sha="${pactbroker.no}", branch="<script>alert(1)</script>", password="hunter2-and-more"
    )
    page = client.get(f"/deliveries/{id_of(answer)}").text
    assert "client_payload.sha" in page
    assert "<script>alert" not in page
    assert "hunter2" not in page
    document = client.get(
        f"/api/deliveries/{id_of(answer)}", headers={"Authorization": "Bearer a-token-for-reading-the-api"}
    ).json
    assert document is not None
    assert document["answer"] == answer.json
    assert document["headers"]["User-Agent"] == "Pact Broker v2.107"


def test_a_delivery_is_delivered_again_and_it_is_kept_who_did_it(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    sign_in(client)
    first = id_of(dispatch(client))
    answer = client.post(f"/deliveries/{first}/redeliver", data={"form_token": form_token(client)})
    assert answer.status_code == 303
    new = answer.headers["Location"].removeprefix("/deliveries/")
    assert listed(client) == [new, first]
    assert f"delivery {new[:8]}" in client.get(f"/deliveries/{first}").text
    assert "delivered again by me" in text_of(client, f"/deliveries/{new}")
    with pool.connection() as connection:
        kept = connection.execute(
            "SELECT who, action, via, provider, delivery_id, outcome_id FROM actions"
        ).fetchall()
    assert [(*row[:4], str(row[4]), str(row[5])) for row in kept] == [
        ("me", "redeliver", "dashboard", "A", first, new)
    ]


def test_what_can_not_be_delivered_again_says_why(client: FlaskClient) -> None:
    sign_in(client)
    without_body = id_of(dispatch(client, token="wrong"))
    assert "nothing of its body was kept" in text_of(client, f"/deliveries/{without_body}")
    assert 'a/b, of <a href="/providers/A">A</a>' in client.get(f"/deliveries/{without_body}").text
    elsewhere = id_of(dispatch(client, pact_url=PACT.replace("provider/A", "provider/B")))
    assert "Delivered again, it would be refused: client_payload.pact_url" in text_of(
        client, f"/deliveries/{elsewhere}"
    )
    token = form_token(client)
    for path, status in ((without_body, 409), (elsewhere, 422), (str(uuid4()), 404)):
        answer = client.post(f"/deliveries/{path}/redeliver", data={"form_token": token})
        assert answer.status_code == status
    assert client.get(f"/deliveries/{uuid4()}").status_code == 404


def test_nothing_is_delivered_again_by_a_forged_form_or_by_those_who_only_read(client: FlaskClient) -> None:
    sign_in(client, READER)
    first = id_of(dispatch(client))
    assert "Deliver again" not in client.get(f"/deliveries/{first}").text
    token = form_token(client)
    assert client.post(f"/deliveries/{first}/redeliver", data={"form_token": token}).status_code == 403
    sign_in(client)
    assert client.post(f"/deliveries/{first}/redeliver", data={"form_token": "0" * 40}).status_code == 403
    assert listed(client) == [first]
