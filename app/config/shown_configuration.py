"""The configuration as it was understood, without its secrets: as JSON values, and in lines for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from app.config.notify import TargetKind
from app.config.shown_provider import shown_notify
from app.config.tls import TlsFiles
from broker.webhooks.hidden_secrets import redacted_urls
from verifier.report.amounts import count

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from app.config.settings import Settings

MOST_PROVIDERS = 20
"""So many providers are shown with all that is said of them; of more there is a summary."""
MOST_NAMES = 5
"""The names of providers in a summary."""
_KINDS = {
    "relay": "passed on to GitHub",
    "base_url": "that run already",
    "command": "started",
    "checkout": "checked out and started",
}
"""What is done with providers, by the key that says so."""


def document_of(
    settings: Settings,
    *,
    tokens: Mapping[str, Collection[str] | None],
    api_tokens: Mapping[str, bool],
    webhook_secret: bool,
    github: Mapping[str, str] | None,
    database: str,
) -> dict[str, Any]:
    """Return the configuration as JSON values, without the providers.

    Args:
        settings: The configuration file.
        tokens: The names of the tokens for dispatches, and the repositories that each one is for; None for all of them.
        api_tokens: The names of the API's tokens, and whether each one may only read.
        webhook_secret: Whether there is a key of GitHub's signatures.
        github: The address of GitHub's API (`url`), and how the workers are known to it (`login`); None where it is not
            used.
        database: The database, without its password.
    """
    return {
        "broker": {
            "url": settings.broker.url,
            "aliases": list(settings.broker.aliases),
            "tls": _files(settings.broker),
        },
        "event_types": sorted(settings.event_types),
        "tokens": list(tokens),
        "limited_to": {name: sorted(limit) for name, limit in tokens.items() if limit is not None},
        "api_tokens": list(api_tokens),
        "read_only": [name for name, read_only in api_tokens.items() if read_only],
        "webhook_secret": webhook_secret,
        "github": None if github is None else dict(github),
        "database": database,
        **{
            section: getattr(settings, section).model_dump(mode="json")
            for section in ("server", "worker", "retention", "reconcile")
        },
        "notify": shown_notify(settings.notify),
    }


def lines_of(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what people are shown, line by line: the name of a thing, "" where the line goes on with it, and a text.

    Args:
        document: See `document_of`; what it lacks is left out.
    """
    broker = document["broker"]
    if "file" in document:
        yield "configuration", document["file"]
    yield "broker", f"{broker['url']}, {broker['login']}" if "login" in broker else broker["url"]
    for alias in broker["aliases"]:
        yield "", f"also known as {alias}"
    yield from (("", text) for text in _tls(broker["tls"]))
    yield from lines_of_providers(document.get("providers", ()), document.get("file"))
    yield "event types", ", ".join(document["event_types"])
    limits = {name: f"for {', '.join(limit)} alone" for name, limit in document["limited_to"].items()}
    yield "may dispatch", _tokens(document["tokens"], limits) or "nobody with a token"
    limits = dict.fromkeys(document["read_only"], "reading alone")
    yield "may use /api", _tokens(document["api_tokens"], limits) or "nobody"
    yield "GitHub's events", "signed" if document["webhook_secret"] else "refused: there is no webhook secret"
    github = document["github"]
    yield "GitHub", ", ".join(github.values()) if github else "not used"
    yield "database", document["database"]
    server, worker = document["server"], document["worker"]
    yield "links", server["public_url"] or "none: there is no server.public_url"
    yield "web", f"processes: {server['processes']}"
    yield "worker", f"runs at once: {worker['concurrency']}; children kept ready: {worker['warm']}"
    retention, minutes = document["retention"], document["reconcile"]["minutes"]
    yield "kept", f"{_of(retention['days'], 'day')}; of each run's log {retention['log_kilobytes']} KB"
    yield "reconciled", f"every {_of(minutes, 'minute')}" if minutes else "never"
    yield (
        "told of changes",
        "; ".join(_targets(document["notify"])) or "nobody, unless a provider names somebody",
    )


def lines_of_providers(
    providers: Sequence[dict[str, Any]], file: str | None = None
) -> Iterator[tuple[str, str]]:
    """Yield what people are shown of the providers: all of each, or a summary of more than `MOST_PROVIDERS`.

    Args:
        providers: See `lines_of`.
        file: The file that needn't be named.
    """
    if len(providers) > MOST_PROVIDERS:
        names = ", ".join(one["name"] for one in providers[:MOST_NAMES])
        yield "providers", f"{len(providers)}: {names} and {len(providers) - MOST_NAMES} more"
        kinds = Counter(next((word for key, word in _KINDS.items() if key in one), "") for one in providers)
        yield "", ", ".join(f"{number} {kind}" for kind, number in kinds.items())
        files = {one.get("file") for one in providers} - {file}
        if files:
            yield "", f"configured in {count(len(files), 'file')} of their own"
        yield "", "--provider NAME shows all of one, and --json of each"
        return
    for provider in providers:
        yield "provider", f"{provider['name']}: POST /repos/{provider['repository']}/dispatches"
        if provider.get("file") != file:
            yield "", f"configured in {provider['file']}"
        yield from (("", text) for text in _provider(provider))


def without_secrets(value: Any) -> Any:
    """Return JSON values without the credentials in their URLs."""
    if isinstance(value, dict):
        return {name: without_secrets(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(member) for member in value]
    return redacted_urls(value) if isinstance(value, str) else value


def _targets(notify: Mapping[str, Any]) -> Iterator[str]:
    """Yield who is told of changes, and of which."""
    for target in notify.get("targets", ()):
        kind = next(kind.value for kind in TargetKind if kind in target)
        yield f"{kind} {target[kind]} ({', '.join(target['events'])})"


def _of(number: float, unit: str) -> str:
    return count(int(number), unit) if number == int(number) else f"{number:g} {unit}s"


def _tokens(names: list[str], limits: dict[str, str]) -> str:
    return ", ".join(f"{name} ({limits[name]})" if name in limits else name for name in names)


def _tls(given: dict[str, Any]) -> Iterator[str]:
    if "ca_file" in given:
        yield f"its certificate is signed by an authority of {given['ca_file']}"
    if given.get("disable_ssl_verification"):
        yield "its certificate is not checked"
    if "client_certificate" in given:
        yield f"is shown the certificate {given['client_certificate']}"


def _provider(provider: dict[str, Any]) -> Iterator[str]:
    if "notify" in provider:
        yield f"told of changes: {'; '.join(_targets(provider['notify'])) or 'as [notify] says'}"
    if "relay" in provider:
        relay = provider["relay"]
        starts = f", starts {relay['workflow']}" if "workflow" in relay else ""
        yield f"passed on to GitHub, {relay.get('repository', provider['repository'])}{starts}"
        return
    if "base_url" in provider:
        yield f"runs at {provider['base_url']}"
    elif "command" in provider:
        folder = f", in {provider['folder']}" if "folder" in provider else ""
        yield f"started: {provider['command']}{folder}"
    else:
        checkout = provider["checkout"]
        yield f"checked out {checkout['url'] if checkout['url'].startswith('from ') else 'from ' + checkout['url']}"
        if "setup" in checkout:
            yield f"set up: {checkout['setup']}"
        yield f"started: {checkout['command']}"
    version = provider.get("version") or (
        "the commit"
        if "checkout" in provider
        else f"asked of {provider['version_url']} {provider.get('version_pointer', '')}".rstrip()
    )
    yield f"version {version}, branch {provider.get('branch', 'that of the dispatch')}"
    if "base_url" not in provider and provider["unconfined"]:
        yield "not confined: it may read the processes of its account, and gain rights by sudo"
    if "base_url" not in provider and "user" in provider:
        yield f"as {provider['user']}, where root runs the worker"
    yield from _tls(provider)
    yield f"provider states {provider.get('states_setup_url', 'nowhere')}"
    for key in ("headers", "environment"):
        for name, source in provider[key].items():
            yield f"{key}.{name} {source}"
    yield f"{_runs_at_once(provider)}, each for {provider['timeout']:g} s at most; {_interactions_at_once(provider)}"


def _runs_at_once(provider: dict[str, Any]) -> str:
    if not provider["parallel"]:
        return "one run at a time"
    most = provider.get("max_runs")
    return f"several runs at a time, {most} at most" if most else "several runs at a time"


def _interactions_at_once(provider: dict[str, Any]) -> str:
    jobs = provider["jobs"]
    return "one interaction at a time" if jobs == 1 else f"{count(jobs, 'interaction')} at a time"


def _files(section: TlsFiles) -> dict[str, str]:
    keys = TlsFiles.model_fields
    return {key: str(getattr(section, key)) for key in keys if getattr(section, key) is not None}
