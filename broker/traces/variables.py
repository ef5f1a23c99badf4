"""The environment variables of OpenTelemetry that say whether there are traces; its libraries read the others."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` would be imported for this alone
    from collections.abc import Mapping

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""Where traces are sent, by OTLP over HTTP; the path `/v1/traces` is added."""
TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
"""The whole URL for traces alone."""
HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"
"""Headers of these requests, `NAME=VALUE,...`: credentials."""
TRACES_HEADERS = "OTEL_EXPORTER_OTLP_TRACES_HEADERS"
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
TRACES_PROTOCOL = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
EXPORTER = "OTEL_TRACES_EXPORTER"
"""`otlp`, or `none` for no traces."""
DISABLED = "OTEL_SDK_DISABLED"
"""`true` for no traces."""
PROPAGATORS = "OTEL_PROPAGATORS"
"""`none` if no request that is sent says which span it belongs to, and none that comes is asked."""
SAMPLER = "OTEL_TRACES_SAMPLER"
"""Which traces are kept."""
SAMPLER_ARG = "OTEL_TRACES_SAMPLER_ARG"
"""The share of them, where `SAMPLER` is a ratio."""
SERVICE_NAME = "OTEL_SERVICE_NAME"
RESOURCE_ATTRIBUTES = "OTEL_RESOURCE_ATTRIBUTES"
TRACEPARENT = "TRACEPARENT"
"""The span that a command belongs to, as CI systems hand it on."""
SECRETS = (HEADERS, TRACES_HEADERS, "OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_LOGS_HEADERS")
"""Those that hold credentials: no child process gets them."""
ENDPOINTS = (
    ENDPOINT,
    TRACES_ENDPOINT,
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
)
"""Those that hold URLs, which may have credentials in them."""
OF_THIS_SERVICE = (SERVICE_NAME, RESOURCE_ATTRIBUTES)
"""Those that say whose spans they are: not those of a provider."""
OTLP_OVER_HTTP = "http/protobuf"


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Return whether traces are wanted: an endpoint is given, and nothing says that there are none."""
    if not (environment.get(ENDPOINT) or environment.get(TRACES_ENDPOINT)):
        return False
    if environment.get(DISABLED, "").strip().lower() == "true":
        return False
    return environment.get(EXPORTER, "").strip().lower() in {"", "otlp"}


def has_credentials(name: str, value: str) -> bool:
    """Return whether a variable holds credentials for a collector, or may: a URL with a user or a query."""
    return name in SECRETS or (name in ENDPOINTS and ("@" in value or "?" in value))


def propagates(environment: Mapping[str, str]) -> bool:
    """Return whether requests say which span they belong to (W3C Trace Context)."""
    names = environment.get(PROPAGATORS, "").strip().lower()
    return not names or "tracecontext" in [name.strip() for name in names.split(",")]


def protocol_of(environment: Mapping[str, str]) -> str:
    """Return the protocol that traces are to be sent by."""
    return (environment.get(TRACES_PROTOCOL) or environment.get(PROTOCOL) or OTLP_OVER_HTTP).strip().lower()
