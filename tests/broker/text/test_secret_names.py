from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.commands.check_config.summary import understand
from app.intake.redacted_payload import redacted
from broker.text.secret_names import STARS, is_secret_name
from broker.webhooks.hidden_secrets import redacted_body, redacted_headers, redacted_urls
from verifier.github_action import header_secrets
from verifier.redaction import redaction_of
from verifier.request import ProviderUnderTest, VerificationRequest

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cret-value"
NAMES = (
    "Authorization",
    "Proxy-Authorization",
    "X-Auth",
    "X-Auth-Token",
    "Cookie",
    "Set-Cookie",
    "X-Api-Key",
    "api_key",
    "apikey",
    "private_key",
    "access-key",
    "X-Functions-Key",
    "key",
    "token",
    "githubToken",
    "client_secret",
    "password",
    "passwd",
    "credentials",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_name_is_one_everywhere(name: str, tmp_path: Path) -> None:
    assert redacted_headers({name: SECRET}) == {name: STARS}
    assert redacted_body({"nested": [{name: SECRET}]}) == {"nested": [{name: STARS}]}
    assert redacted_urls(f"https://t.test/?{name}={SECRET}") == f"https://t.test/?{name}={STARS}"
    assert redacted({"nested": [{name: SECRET}]}) == {"nested": [{name: STARS}]}
    assert header_secrets([f"{name}: {SECRET}"]) == [f" {SECRET}"]
    for provider in (
        ProviderUnderTest(base_url="http://p.test", headers=((name, SECRET),)),
        ProviderUnderTest(command="run", environment={name: SECRET}),
    ):
        request = VerificationRequest(pact_url="http://b.test/pact", provider=provider)
        assert redaction_of(request).text(SECRET) == "***"
    file = tmp_path / "pact-dispatch.toml"
    file.write_text(
        '[broker]\nurl = "http://b.test"\n[[providers]]\nname = "P"\nrepository = "acme/p"\nversion = "1"\n'
        f'base_url = "http://p.test"\nheaders = {{ "{name}" = "{SECRET}" }}\n'
    )
    warnings = understand(file, tmp_path, {"PACT_DISPATCH_TOKENS": "me:token-1234567890-12345"}).warnings
    assert any(f".headers.{name}: if it is a secret" in warning.found for warning in warnings)


@pytest.mark.parametrize("name", ["Accept", "Content-Type", "pact_url", "sha", "author", "author_name"])
def test_other_names_are_shown(name: str) -> None:
    assert not is_secret_name(name)
    assert redacted({name: "x"}) == {name: "x"}
