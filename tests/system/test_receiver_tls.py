"""A receiver whose broker and provider have an authority of their own, and ask their clients for a certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.broker_records import results
from tests.support.canaries import canary, found_in, traces
from tests.support.certificates import Certificates, make_certificates
from tests.support.commands import pact_dispatch
from tests.support.faulty_broker import FaultyBroker
from tests.support.loopback import Loopback, Received, Reply
from tests.support.pacts import interaction, pact
from tests.support.receiver import LocalReceiver, configuration

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.processes import EmbeddedBroker

PASSWORD = canary()
KEY = {"env": "KEY_OF_PRODUCTS"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"), PASSWORD)


def answer(request: Received) -> Reply:
    return Reply(200, {"commit": "abc1234"} if request.path == "/version" else {"path": request.path})


def test_a_receiver_reaches_both_by_the_keys_of_its_configuration(
    files: Certificates,
    tmp_path: Path,
    broker: EmbeddedBroker,
    published: Callable[..., str],
    database_url: str,
) -> None:
    asked = interaction("a", "/a", body={"path": "/a"}, state="there is one")
    path = published({**pact(asked), "provider": {"name": "Products"}})

    def rewrite(content: bytes) -> bytes:
        return content.replace(proxy.url.replace("https:", "http:").encode(), proxy.url.encode())

    shown = {"client_certificate": str(files.client_certificate), "client_key": str(files.client_key)}
    secrets = {"KEY_OF_PRODUCTS": PASSWORD, "PACT_BROKER_CLIENT_KEY_PASSWORD": PASSWORD}
    with (
        FaultyBroker(broker.url, context=files.strict_server, rewrite=rewrite) as proxy,
        Loopback(answer, tls=files.strict_server) as provider,
    ):
        keys: dict[str, Any] = {
            "base_url": provider.url,
            "version_url": f"{provider.url}/version",
            "version_pointer": "/commit",
            "states_setup_url": f"{provider.url}/_states",
            "branch": "main",
            "ca_file": str(files.ca_file),
            "client_key_password": KEY,
            **shown,
        }
        text = configuration(proxy.url, keys, reconcile={"minutes": 0})
        tls = "".join(f'{key} = "{value}"\n' for key, value in {"ca_file": files.ca_file, **shown}.items())
        text = text.replace("[broker]\n", f"[broker]\n{tls}")
        with LocalReceiver(tmp_path, text, database_url=database_url, environment=secrets) as receiver:
            checked = pact_dispatch(
                *("check-config", "--online", "--config", str(receiver.config)), environment=secrets
            )
            assert receiver.dispatch(proxy.url + path).status_code == 204
            [run] = receiver.wait_for_runs()
            said = receiver.output() + checked.stdout + checked.stderr
            looked = pact_dispatch(
                *("reconcile", "--dry-run", "--config", str(receiver.config)),
                environment={**secrets, "DATABASE_URL": database_url},
            )
    assert (run["outcome"], run["error"]) == ("passed", None)
    assert run["provider_version"] == "abc1234"
    assert "/_states" in {request.path for request in provider.received}
    assert checked.returncode == 0, checked
    assert "The broker is there, and knows each provider." in checked.stdout
    assert f"is shown the certificate {files.client_certificate}" in checked.stdout
    assert looked.returncode == 0, looked
    assert "Nothing is missing" in looked.stdout
    assert found_in(said.encode(), {"password": traces(PASSWORD)}) == []
    assert results(broker, path)
