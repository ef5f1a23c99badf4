"""`/metrics`, for Prometheus: read from the database at each scrape.

The figures are those of all processes and machines, whichever web process is asked, and a restart changes none.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from app.queue import turns
from app.queue.state import QueueState
from app.records import counters, processes, sightings
from app.records.counters import BOUNDS, Counts, Series
from app.records.sightings import Seen
from app.web.compression import compressed
from app.web.context import check_api_token, database, receiver

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prometheus_client import Metric

    from app.records.processes import ReceiverProcess
    from app.records.sightings import Sighting

PREFIX = "pact_dispatch"

blueprint = Blueprint("metrics", __name__)
blueprint.before_request(check_api_token)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Answer with the figures, in the format that the request accepts."""
    with database() as connection:
        # all figures are of one moment: a run that begins meanwhile would be neither one that waits nor one that runs
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        counts = counters.read(connection)
        state = QueueState.read(connection, stalled_seconds=receiver().settings.worker.stalled_seconds)
        possible = state.running + turns.beginnable(connection)
        seen = sightings.read(connection)
        present = processes.present(connection)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(
        _Figures(
            (
                *_gauges(state, possible),
                *_configurations(present),
                *_sightings(seen),
                _build(),
                *_counters(counts),
                _durations(counts),
            )
        )
    )
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    response = Response(encode(registry), content_type=content_type)
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Accept")
    return compressed(response, request)


class _Figures(Collector):
    def __init__(self, families: tuple[Metric, ...]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _gauges(state: QueueState, possible: int) -> list[Metric]:
    figures = {
        "runs_waiting": ("Runs that wait, for a worker or for their next attempt.", state.waiting),
        "runs_paused": ("Runs among these that wait since their provider is paused.", state.paused),
        "runs_running": ("Runs that run.", state.running),
        "runs_possible": (
            "Runs that run, or that a worker could begin now, were there enough of them.",
            possible,
        ),
        "results_to_publish": ("Results that the broker did not accept yet.", state.to_publish),
        "oldest_waiting_run_seconds": (
            "For how long the oldest run waits that could start.",
            state.oldest_waiting_seconds,
        ),
        "workers_alive": ("Worker processes with a recent sign of life.", state.workers),
    }
    return [GaugeMetricFamily(f"{PREFIX}_{name}", text, value) for name, (text, value) in figures.items()]


def _configurations(present: Sequence[ReceiverProcess]) -> list[Metric]:
    """Make the gauges of the configurations that the processes have."""
    figures = {
        "configurations": (
            "Different configurations that the processes of all machines have.",
            len({process.configuration for process in present}),
        ),
        "configuration_refused": (
            "Processes that keep the configuration they have, since the one they were to take has mistakes.",
            sum(process.refused is not None for process in present),
        ),
    }
    return [GaugeMetricFamily(f"{PREFIX}_{name}", text, value) for name, (text, value) in figures.items()]


def _sightings(seen: Mapping[Seen, Sighting]) -> list[Metric]:
    """Make the gauges of what workers have seen; what none has seen yet has no value."""
    broker = GaugeMetricFamily(
        f"{PREFIX}_broker_answers", "Whether the broker has answered when a worker last asked it."
    )
    token = GaugeMetricFamily(
        f"{PREFIX}_token_expires_timestamp_seconds",
        "When a token expires, as its server says.",
        labels=["token"],
    )
    if Seen.BROKER in seen:
        broker.add_metric([], float(seen[Seen.BROKER].error is None))
    expires = seen[Seen.GITHUB_TOKEN].expires if Seen.GITHUB_TOKEN in seen else None
    if expires is not None:
        token.add_metric(["github"], expires.timestamp())
    return [broker, token]


def _build() -> Metric:
    return InfoMetricFamily(
        f"{PREFIX}_build",
        "The version of the web process that answers.",
        {"version": version("pact-dispatch")},
    )


def _counters(counts: Counts) -> list[Metric]:
    return [
        _counter("deliveries_accepted", "Dispatches accepted.", counts, counters.ACCEPTED, "source"),
        _counter("deliveries_refused", "Dispatches refused.", counts, counters.REFUSED, "reason"),
        _counter(
            "deliveries_repeated",
            "Deliveries that were accepted before: nothing was done for them.",
            counts,
            counters.REPEATED,
        ),
        _counter(
            "deliveries_coalesced", "Dispatches that a waiting run answers.", counts, counters.COALESCED
        ),
        _counter("runs_ended", "Runs that ended.", counts, counters.ENDED, "provider", "outcome"),
        _counter(
            "publish_retries",
            "Attempts to publish beyond the first of a run.",
            counts,
            counters.PUBLISH_RETRIES,
        ),
        _counter(
            "notifications",
            "Messages about changes of outcome that were sent, or are given up.",
            counts,
            counters.NOTIFICATIONS,
            "kind",
            "result",
        ),
    ]


def _counter(name: str, text: str, counts: Counts, series_name: str, *labels: str) -> Metric:
    family = CounterMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
    if not labels:
        family.add_metric([], counts[Series.of(series_name)])
    else:
        for series, value in counts.named(series_name):
            family.add_metric([series[label] or "" for label in labels], value)
    return family


def _durations(counts: Counts) -> Metric:
    """Make the histogram; what was counted for a bound that is no longer one is in the next higher bucket."""
    found = list(counts.named(counters.DURATIONS))
    buckets = [
        (
            f"{bound / 1000:g}",
            sum(value for series, value in found if series["le"] is not None and int(series["le"]) <= bound),
        )
        for bound in BOUNDS
    ]
    buckets.append(("+Inf", sum(value for _, value in found)))
    seconds = counts[Series.of(counters.DURATION_SUM)] / 1000
    text = "Time from the start of a run's first attempt until its outcome was known."
    return HistogramMetricFamily(f"{PREFIX}_run_duration_seconds", text, buckets=buckets, sum_value=seconds)
