"""The routes of the JSON API: they list and look up runs and deliveries, deliver again, and cancel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g, request

from app.intake import pausing, run_actions
from app.intake.pausing import NoSuchProvider
from app.intake.redelivery import NotDeliverable, redeliver
from app.intake.refusal import Refusal
from app.intake.run_actions import NoSuchRun, NotDone
from app.records import actions, deliveries, history, run_log, runs
from app.records.actions import ActionKind, Doer, Via
from app.records.run import RunStatus
from app.web.api.documents import Delivery, DeliveryList, Run, RunList, WholeDelivery, WholeRun
from app.web.api.providers import ChangedProvider, NotificationList, ProviderList
from app.web.compression import compressed
from app.web.context import READING, check_api_token, database, receiver
from app.web.paging import DELIVERY_FILTERS, RUN_FILTERS, PageRequest, ProvidersRequest
from app.web.problem import Fault, HttpProblem, answer
from app.web.viewer import viewer_of_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from psycopg import Connection

    from app.config.settings import Settings
    from app.records.history import Place
    from app.records.pause_change import PauseChange
    from app.records.run import Run as StoredRun

blueprint = Blueprint("api", __name__, url_prefix="/api")


@blueprint.before_request
def check_sender() -> None:
    """Let those in who have a token, and those who look something up in a session of the dashboard.

    A user whom a proxy names is none of them: proxies pass these paths without a sign-in, and with them whatever a
    client claims in the header for users.

    Raises:
        HttpProblem: There is neither.
    """
    viewer = viewer_of_request() if "Authorization" not in request.headers else None
    if viewer is None or not viewer.has_session or request.method not in READING:
        check_api_token()
    else:
        g.sender = viewer.name


@blueprint.get("/runs")
def list_runs() -> Response:
    """Answer with a page of runs, newest first."""
    asked = PageRequest.read(request.args, RUN_FILTERS)
    with database() as connection:
        page = history.page_of_runs(connection, asked.filters, limit=asked.limit, after=asked.after)
        ids = deliveries.of_runs(connection, [run.id for run in page.items])
    return answer(
        RunList(items=[Run.of(run, ids[run.id]) for run in page.items], next=_next(asked, page.end))
    )


@blueprint.get("/runs/<uuid:run_id>")
def get_run(run_id: UUID) -> Response:
    """Answer with a run and its interactions."""
    with database() as connection:
        return answer(WholeRun.read(connection, _run(connection, run_id)))


@blueprint.get("/runs/<uuid:run_id>/log")
def get_log(run_id: UUID) -> Response:
    """Answer with the log of a run as text, which is empty until something is logged."""
    with database() as connection:
        _run(connection, run_id)
        text = run_log.text_of_log(connection, run_id)
    response = Response(text, mimetype="text/plain")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/runs/<uuid:run_id>/verification")
def get_verification(run_id: UUID) -> Response:
    """Answer with the verification of a run in its saved form, which is that of `verify --json`."""
    with database() as connection:
        run = _run(connection, run_id)
        verification = runs.verification_of(connection, run_id)
    if verification is None:
        raise HttpProblem(404, f"the run has no verification: it is {run.status}")
    return answer(verification)


@blueprint.post("/runs/<uuid:run_id>/cancel")
def cancel_run(run_id: UUID) -> Response:
    """Cancel a run: 200 when it is cancelled, 202 when its worker was told to stop it."""
    with database() as connection:
        try:
            run = run_actions.cancel(connection, run_id, _doer())
        except NoSuchRun:
            raise HttpProblem.not_found("run") from None
        except NotDone as error:
            raise HttpProblem(409, str(error)) from error
        document = WholeRun.read(connection, run)
    return answer(document, 202 if run.status is RunStatus.RUNNING else 200)


@blueprint.get("/deliveries")
def list_deliveries() -> Response:
    """Answer with a page of deliveries, newest first."""
    asked = PageRequest.read(request.args, DELIVERY_FILTERS)
    with database() as connection:
        page = history.page_of_deliveries(connection, asked.filters, limit=asked.limit, after=asked.after)
    items = [Delivery.of(delivery) for delivery in page.items]
    return answer(DeliveryList(items=items, next=_next(asked, page.end)))


@blueprint.get("/deliveries/<uuid:delivery_id>")
def get_delivery(delivery_id: UUID) -> Response:
    """Answer with a delivery and its payload."""
    with database() as connection:
        return answer(WholeDelivery.of(_delivery(connection, delivery_id)))


@blueprint.post("/deliveries/<uuid:delivery_id>/redeliver")
def redeliver_delivery(delivery_id: UUID) -> Response:
    """Carry out the dispatch of a delivery again, as a new delivery."""
    with database() as connection:
        delivery = _delivery(connection, delivery_id)
        try:
            new_id = redeliver(
                connection,
                receiver().settings,
                delivery,
                sender=g.sender,
                address=request.remote_addr,
                user_agent=request.headers.get("User-Agent"),
            )
        except NotDeliverable as error:
            raise HttpProblem(409, str(error)) from error
        except Refusal as refusal:
            faults = tuple(Fault(field=error.field, message=error.message) for error in refusal.errors)
            raise HttpProblem(422, f"it would be refused: {refusal.detail}", faults) from refusal
        new = _delivery(connection, new_id)
        whole = None if new.run_id is None else runs.get(connection, new.run_id)
        actions.add(
            connection,
            _doer(),
            ActionKind.REDELIVER,
            provider=None if whole is None else whole.provider,
            run_id=new.run_id,
            delivery_id=delivery_id,
            outcome_id=new_id,
        )
        document = WholeDelivery.of(new)
    return answer(
        document, 201, {"Location": receiver().settings.server.address(f"/api/deliveries/{new_id}")}
    )


@blueprint.get("/providers")
def list_providers() -> Response:
    """Answer with a page of the providers: those that are configured, and those that are paused."""
    asked = ProvidersRequest.read(request.args)
    with database() as connection:
        found = ProviderList.read(connection, receiver().settings, asked)
    return compressed(answer(found), request)


@blueprint.get("/providers/<name:name>/notifications")
def list_notifications(name: str) -> Response:
    """Answer with the latest message about a provider to each of those who are told of its changes."""
    with database() as connection:
        return answer(NotificationList.read(connection, name))


@blueprint.post("/providers/<name:name>/pause")
def pause_provider(name: str) -> Response:
    """Pause a provider: its runs are accepted and queued, and none is started."""
    return _done_to_provider(name, partial(pausing.pause, reason=request.args.get("reason")))


@blueprint.post("/providers/<name:name>/resume")
def resume_provider(name: str) -> Response:
    """Resume a provider, and start the runs that have waited for that."""
    return _done_to_provider(name, pausing.resume)


def _done_to_provider(
    name: str, action: Callable[[Connection[Any], Settings, str, Doer], PauseChange | None]
) -> Response:
    settings = receiver().settings
    with database() as connection:
        try:
            change = action(connection, settings, name, _doer())
        except NoSuchProvider as error:
            raise HttpProblem(404, str(error)) from error
        return answer(ChangedProvider.after(connection, settings, name, change))


def _doer() -> Doer:
    return Doer(g.sender, Via.API, request.remote_addr)


def _run(connection: Connection[Any], run_id: UUID) -> StoredRun:
    run = runs.get(connection, run_id)
    if run is None:
        raise HttpProblem.not_found("run")
    return run


def _delivery(connection: Connection[Any], delivery_id: UUID) -> deliveries.Delivery:
    delivery = deliveries.get(connection, delivery_id)
    if delivery is None:
        raise HttpProblem.not_found("delivery")
    return delivery


def _next(asked: PageRequest, end: Place | None) -> str | None:
    """Return the URL of the next page."""
    if end is None:
        return None
    return receiver().settings.server.address(f"{request.path}?{asked.next_query(end)}")
