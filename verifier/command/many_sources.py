"""The request for many pacts, from the settings of the `verify` command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from broker.client.for_verification import Selection
from broker.client.selectors import (
    MATCHING_BRANCH,
    NoSelector,
    check_selector,
    documented_default,
    for_tag,
)
from broker.events import PROVIDER_CHANGED
from broker.http.strict_json import NotJson, parse_json
from broker.text.times import read_time
from verifier.command.github import REPOSITORY_DISPATCH, read_github_event
from verifier.command.sources import OF_PACT_VERIFIER, PACT_URL, Setting, boolean, build_request, flag
from verifier.errors import UsageError
from verifier.many.request import ManyRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from broker.client.selectors import Selector
    from verifier.request import VerificationRequest

MOST_FILES = 10_000


def build_many(
    settings: list[Setting], flags: Mapping[str, Any], environment: Mapping[str, str]
) -> ManyRequest:
    """Return the request that the settings make, which name several pacts, or none and a provider.

    Args:
        settings: The settings.
        flags: The command line's values by option name.
        environment: The environment.

    Raises:
        UsageError: A value can't be used, or a pact was to be named and isn't.
    """
    given = {setting.name: setting for setting in settings}
    needs_pacts = not boolean(given.get("ignore_no_pacts_error"))
    if "pact_url" in given:
        named = given["pact_url"].value
        named = [named] if isinstance(named, str) else named
        urls = tuple(_with_files(named))
        if not urls:
            raise UsageError(f"--pact-url: there is no *.json file in {', '.join(named)}")
        in_folders = frozenset(urls) - frozenset(named)
        return ManyRequest(_template(settings, urls[0]), urls, in_folders, needs_pacts=needs_pacts)
    _check_no_pact_is_missing(flags, environment)
    base, provider = given["pact_broker_base_url"].value, given["provider"].value
    template = _template(
        settings, f"{base.rstrip('/')}/pacts/provider/{quote(provider, safe='')}/for-verification"
    )
    branch, tags = template.provider_branch, template.provider_tags
    selection = Selection(
        tuple(_selectors(given, branch)),
        branch,
        tags,
        boolean(given.get("enable_pending")),
        _date(given.get("include_wip_pacts_since")),
    )
    return ManyRequest(template, selection=selection, needs_pacts=needs_pacts)


def _template(settings: list[Setting], url: str) -> VerificationRequest:
    others = [setting for setting in settings if setting.name != "pact_url"]
    return build_request([*others, Setting("pact_url", url, flag("pact_url"))])


def _with_files(urls: list[str]) -> Iterator[str]:
    """Return pacts, with the files of a folder in its place."""
    for url in urls:
        folder = Path(url)
        if "://" not in url and folder.is_dir():
            files = sorted(str(file) for file in folder.rglob("*.json"))
            if len(files) > MOST_FILES:
                raise UsageError(
                    f"--pact-url {url}: it has {len(files)} files, which are more than pacts are"
                )
            yield from files
        else:
            yield url


def _check_no_pact_is_missing(flags: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    """Raise if a pact was to be named, and its name is empty: that must not verify every pact instead.

    Raises:
        UsageError: It is so.
    """
    is_dispatch = environment.get("GITHUB_EVENT_NAME") == REPOSITORY_DISPATCH
    if is_dispatch and not read_github_event(environment).of_provider:
        raise UsageError(
            "which pact? The repository_dispatch that started this run has no client_payload.pact_url: check the body "
            "of the webhook. Every pact that the broker asks for is verified at other events, and at a dispatch of "
            f"the type {PROVIDER_CHANGED}"
        )
    if flags.get("pact_url"):
        raise UsageError(
            "which pact? --pact-url is empty: leave it out to verify every pact that the broker asks for"
        )
    for variable in (PACT_URL, OF_PACT_VERIFIER["pact_url"]):
        if variable in environment:
            raise UsageError(
                f"which pact? {variable} is set, and empty: unset it to verify every pact that the broker asks for"
            )


def _selectors(given: Mapping[str, Setting], branch: str | None) -> list[Selector]:
    """Return the selectors that are given, or those for the tags, or the documented ones.

    Raises:
        UsageError: One is none, or both are given and neither comes before the other.
    """
    selectors, tags = given.get("consumer_version_selectors"), given.get("consumer_version_tags")
    if selectors is not None and tags is not None:
        if selectors.is_option == tags.is_option:
            raise UsageError(
                f"{selectors.place} and {tags.place} are two ways of one thing: give one of the two"
            )
        selectors, tags = (selectors, None) if selectors.is_option else (None, tags)
    if selectors is not None:
        return list(_parsed(selectors, branch))
    if tags is not None:
        values = [tags.value] if isinstance(tags.value, str) else tags.value
        names = [tag.strip() for value in values for tag in value.split(",")]
        if not all(names):
            raise UsageError(f"{tags.place}: a tag is empty: they are written with one comma between")
        return [for_tag(name) for name in dict.fromkeys(names)]
    return documented_default(branch)


def _parsed(setting: Setting, branch: str | None) -> Iterator[Selector]:
    texts = [setting.value] if isinstance(setting.value, str) else setting.value
    number = 0
    for text in texts:
        try:
            found = parse_json(text.encode("utf-8", "surrogateescape"), encodable=True)
        except NotJson as error:
            raise UsageError(
                f"{setting.place}: {text[:200]!r} {error}. A selector is written as in "
                "'{\"mainBranch\": true}'"
            ) from error
        for one in found if isinstance(found, list) else [found]:
            number += 1
            try:
                selector = check_selector(one)
            except NoSelector as error:
                raise UsageError(f"{setting.place}: selector {number} can't be used: {error}") from error
            if MATCHING_BRANCH in selector and not branch:
                raise UsageError(
                    f"{setting.place}: selector {number}: its {MATCHING_BRANCH} needs to know the provider's branch: "
                    "give --provider-version-branch (GIT_BRANCH)"
                )
            yield selector
    if not number:
        raise UsageError(f"{setting.place} is a list without a selector")


def _date(setting: Setting | None) -> str | None:
    if setting is None:
        return None
    if read_time(setting.value) is None:
        raise UsageError(f"{setting.place} must be a date, as in 2026-01-31, not {setting.value!r}")
    return str(setting.value)
