"""`/metrics`, for Prometheus: counted in the database at each scrape.

So the figures are those of all processes and machines, whichever web process is asked, and a restart changes none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from app.queue.state import QueueState
from app.records import counters as tallies
from app.records.counters import BOUNDS, Tallies, Tally
from app.web.context import check_api_token, database, receiver

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

PREFIX = "pact_dispatch"

blueprint = Blueprint("metrics", __name__)
blueprint.before_request(check_api_token)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Give the figures, in the format that is asked for."""
    with database() as connection:
        # one view of the tables: what retention moves between them meanwhile is neither missed nor counted twice
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        counted = tallies.of_totals(connection)
        counted.update(tallies.of_deliveries(connection))
        counted.update(tallies.of_runs(connection))
        state = QueueState.read(connection, stalled_seconds=receiver().settings.worker.stalled_seconds)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures((*_gauges(state), *_counters(counted), _durations(counted))))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    response = Response(encode(registry), content_type=content_type)
    response.headers["Cache-Control"] = "no-store"
    return response


class _Figures(Collector):
    def __init__(self, families: tuple[Metric, ...]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _gauges(state: QueueState) -> list[Metric]:
    figures = {
        "runs_waiting": ("Runs that wait, for a worker or for their next attempt.", state.waiting),
        "runs_running": ("Runs that run.", state.running),
        "results_to_publish": ("Results that the broker did not take yet.", state.to_publish),
        "oldest_waiting_run_seconds": (
            "For how long the oldest run waits that could start.",
            state.oldest_waiting_seconds,
        ),
        "workers_alive": ("Worker processes with a recent sign of life.", state.workers),
    }
    return [GaugeMetricFamily(f"{PREFIX}_{name}", text, value) for name, (text, value) in figures.items()]


def _counters(counted: Tallies) -> list[Metric]:
    return [
        _counter("deliveries_accepted", "Dispatches accepted.", counted, tallies.ACCEPTED, "source"),
        _counter("deliveries_refused", "Dispatches refused.", counted, tallies.REFUSED, "reason"),
        _counter(
            "deliveries_coalesced", "Dispatches that a waiting run answers.", counted, tallies.COALESCED
        ),
        _counter("runs_ended", "Runs that ended.", counted, tallies.ENDED, "provider", "outcome"),
        _counter(
            "publish_retries",
            "Attempts to publish beyond the first of a run.",
            counted,
            tallies.PUBLISH_RETRIES,
        ),
    ]


def _counter(name: str, text: str, counted: Tallies, tally_name: str, *labels: str) -> Metric:
    family = CounterMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
    if not labels:
        family.add_metric([], counted[Tally.of(tally_name)])
    else:
        for tally, value in counted.named(tally_name):
            family.add_metric([tally[label] or "" for label in labels], value)
    return family


def _durations(counted: Tallies) -> Metric:
    """Make the histogram; a tally of a bound that is no longer one is in the next higher bucket."""
    found = list(counted.named(tallies.DURATIONS))
    buckets = [
        (
            f"{bound / 1000:g}",
            sum(value for tally, value in found if tally["le"] is not None and int(tally["le"]) <= bound),
        )
        for bound in BOUNDS
    ]
    buckets.append(("+Inf", sum(value for _, value in found)))
    seconds = counted[Tally.of(tallies.DURATION_SUM)] / 1000
    text = "Time from the start of a run's first attempt until its outcome was known."
    return HistogramMetricFamily(f"{PREFIX}_run_duration_seconds", text, buckets=buckets, sum_value=seconds)
