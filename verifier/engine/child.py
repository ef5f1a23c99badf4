"""The child process that runs pact-python: jobs in on standard input, results out on a pipe of their own.

`python -m verifier.engine_child FD` where FD is the pipe's descriptor. Each line in is a job (see
`engine.Job`) or what to guard, each line out an event: `ready`, `results` (some interactions are done), `done`,
or `failed` with a `message`. Standard output and error belong to the core, which prints to descriptors 1 and 2 whatever
Python does. When standard input ends, its parent is gone or done, and so is this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from verifier.engine.core_results import REQUEST_NOT_SENT, STATE_CHANGE_FAILED, seconds
from verifier.engine.states.handlers import MAX_REASON, PythonHandler, UrlHandler
from verifier.engine.states.handlers_file import HandlersUnusable, load_handlers
from verifier.engine.states.relay import StateRelay, failures
from verifier.engine.trust_store import SmallTrustStore
from verifier.pact import Interaction, Pact, parse_pact

if TYPE_CHECKING:
    from pact import Verifier

    from verifier.engine.states.handlers import StateFailure, StateHandler

LARGEST_SHARD = 25
"""The core's cost is quadratic in the interactions of one document; at 25 it is all but linear."""
SHARD_SECONDS = 0.3
"""How long a shard should take: progress is seen shard by shard."""
STOP_SECONDS = 2.0
"""How long the provider of a parent that was killed has to stop before it is killed."""
QUICK_SECONDS = 1.0
"""A request that fails faster than this may have failed over TLS, and is worth a second look."""
REDIRECTS_TO_TLS = (
    "the provider redirects to https, so the system's certificate authorities were used (slower)"
)


class JobRun:
    """One job: a pact's chosen interactions, in shards, on one or more threads."""

    def __init__(self, job: dict[str, Any], events: Events) -> None:
        self._job = job
        self._events = events
        self._folder = Path(job["folder"])
        self._pact: Pact = parse_pact(json.loads(Path(job["pact"]).read_text(encoding="utf-8")))
        self._left = [self._pact.interactions[index] for index in job["indexes"]]
        self._left.reverse()
        self._lock = threading.Lock()
        self._pace = float("inf")  # seconds that an interaction takes; unknown at first: one, and see
        self._store = SmallTrustStore(self._folder) if job["small_trust_store"] else None
        self._states = self._state_handler()

    def run(self) -> None:
        """Verify everything, sending results as they come."""
        _ask_directly(urlsplit(self._job["base_url"] or "").hostname)
        if self._store is not None:
            self._store.use()
        threads = [
            threading.Thread(target=self._work, args=(f"{number}",), name=f"verify-{number}")
            for number in range(self._job["jobs"])
        ]
        self._failures: list[BaseException] = []
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._store is not None:
            self._store.leave()
        if self._failures:
            raise self._failures[0]

    def _work(self, worker: str) -> None:
        relay = StateRelay(self._states) if self._states is not None else None
        try:
            while shard := self._next_shard():
                started = time.perf_counter()
                results = self._verify(worker, shard, relay)
                with self._lock:
                    self._pace = (time.perf_counter() - started) / len(shard)
                self._events.send({"event": "results", "results": results})
        except BaseException as error:  # carried to the thread that waits
            self._failures.append(error)
            raise
        finally:
            if relay is not None:
                relay.close()

    def _next_shard(self) -> list[Interaction]:
        with self._lock:
            fair = -(-len(self._left) // self._job["jobs"])
            size = max(1, min(LARGEST_SHARD, fair, int(SHARD_SECONDS / self._pace)))
            return [self._left.pop() for _ in range(min(size, len(self._left)))]

    def _verify(
        self, worker: str, shard: list[Interaction], relay: StateRelay | None
    ) -> list[dict[str, Any]]:
        store = self._store
        results = self._verify_once(worker, shard, relay)
        suspect = None if store is None else _perhaps_tls(results)
        if store is None or suspect is None:
            return results
        # A provider on plain HTTP that redirects to https fails with the small store. One interaction tells.
        store.leave()
        [retried] = self._verify_once(worker, [self._pact.interactions[suspect]], relay)
        if REQUEST_NOT_SENT in str(retried.get("mismatch")):
            if self._store is not None:
                store.use()
            return results
        if self._store is not None:
            self._store = None
            self._events.send({"event": "note", "note": REDIRECTS_TO_TLS})
        return self._verify_once(worker, shard, relay)

    def _verify_once(
        self, worker: str, shard: list[Interaction], relay: StateRelay | None
    ) -> list[dict[str, Any]]:
        source = self._folder / f"shard-{worker}.json"
        source.write_text(self._pact.shard(tuple(shard)), encoding="utf-8")
        verifier = self._verifier(relay)
        verifier.add_source(source)
        # it is raised for a broken contract and any other trouble alike: the results tell
        with contextlib.suppress(RuntimeError):
            verifier.verify()
        found = verifier.results
        by_index = {
            str(result.get("interactionId")): result for result in found.get("interactionResults", ())
        }
        states = [tuple(state.name for state in interaction.states) for interaction in shard]
        failed = failures(relay.take(), states) if relay is not None else [None] * len(shard)
        return [
            _result(interaction, by_index, found, failure)
            for interaction, failure in zip(shard, failed, strict=True)
        ]

    def _verifier(self, relay: StateRelay | None) -> Verifier:
        from pact import Verifier  # noqa: PLC0415 - imported at start, see main()

        job = self._job
        parts = urlsplit(job["base_url"] or "")
        host = parts.hostname or "127.0.0.1"
        verifier = Verifier(self._pact.provider, host=f"[{host}]" if ":" in host else host)
        if job["base_url"]:
            verifier.add_transport(
                protocol="http", port=parts.port, path=parts.path.rstrip("/") or "/", scheme=parts.scheme
            )
        for transport in job["transports"]:
            verifier.add_transport(**transport)
        for name, value in job["headers"]:
            verifier.add_custom_header(name, value)
        if relay is not None:
            verifier.state_handler(relay.url, teardown=job["states_teardown"], body=True)
        verifier.set_request_timeout(int(job["request_timeout"] * 1000))
        verifier.set_coloured_output(enabled=False)
        return verifier

    def _state_handler(self) -> StateHandler | None:
        if self._job["states_url"]:
            return UrlHandler(self._job["states_url"], timeout=self._job["request_timeout"])
        if self._job["states_file"]:
            return PythonHandler(load_handlers(*self._job["states_file"]))
        return None


def _result(
    interaction: Interaction, by_index: dict[str, Any], found: dict[str, Any], failure: StateFailure | None
) -> dict[str, Any]:
    """Make sure that each interaction has a result, and that it knows why it has none."""
    result = by_index.get(str(interaction.index))
    if result is None:
        said = [str(error.get("mismatch", {}).get("message", "")) for error in found.get("errors", ())]
        said += [str(line).strip() for line in found.get("output", ()) if "failed" in str(line).lower()]
        why = "; ".join(filter(None, said))[:MAX_REASON] or "it can't make sense of it"
        result = {"reason": f"the engine could not run it: {why}"}
    if failure is not None and STATE_CHANGE_FAILED in str(result.get("mismatch")):
        result["stateFailure"] = {"answered": failure.answered, "reason": failure.reason}
    return {**result, "index": interaction.index}


def _ask_directly(host: str | None) -> None:
    """Keep the core's requests to the provider from going through a proxy.

    It would take `HTTP_PROXY` for loopback too, and a proxy's refusal for the provider's answer.
    """
    for name in ("NO_PROXY", "no_proxy"):
        before = os.environ.get(name, "")
        hosts = [host for host in (before, host, "127.0.0.1", "localhost", "::1") if host]
        os.environ[name] = ",".join(hosts)


def _perhaps_tls(results: list[dict[str, Any]]) -> int | None:
    """Find an interaction whose request failed so fast that TLS may be why; its index."""
    for result in results:
        found = result.get("mismatch")
        quick = (seconds(result.get("duration")) or 0.0) < QUICK_SECONDS
        if quick and isinstance(found, dict) and REQUEST_NOT_SENT in str(found.get("message")):
            return int(result["index"])
    return None


class Events:
    """The pipe to the parent, one JSON object a line."""

    def __init__(self, descriptor: int) -> None:
        self._pipe = os.fdopen(descriptor, "w", encoding="utf-8")
        self._lock = threading.Lock()

    def send(self, event: dict[str, Any]) -> None:
        """Send an event; safe from any thread."""
        with self._lock:
            try:
                self._pipe.write(json.dumps(event) + "\n")
                self._pipe.flush()
            except BrokenPipeError:
                # the parent is gone; who reads the jobs stops what it had started, and only then this process
                threading.Event().wait()


def _leave_with_parent(jobs: list[str], arrived: threading.Condition) -> None:
    """Read jobs; when there can be no more, the parent is gone: leave at once, whatever the core is doing.

    A parent that was killed could not clean up, so that is done here: the provider that it had started is stopped
    (`guard` names its process group), the files are removed.
    """
    guarded: dict[str, Any] = {}
    for line in sys.stdin:
        if line.startswith('{"guard"'):
            guarded = json.loads(line)
            continue
        with arrived:
            jobs.append(line)
            arrived.notify()
    if guarded.get("guard"):
        _stop_group(guarded["guard"])
    if guarded.get("folder"):
        shutil.rmtree(guarded["folder"], ignore_errors=True)
    os._exit(0)


def _stop_group(group: int) -> None:
    end = time.monotonic() + STOP_SECONDS
    for number in (signal.SIGTERM, 0, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
            while number == 0 and time.monotonic() < end:
                time.sleep(0.02)
                os.killpg(group, 0)


def main() -> None:
    """Run jobs until standard input ends."""
    os.environ.setdefault("PACT_DO_NOT_TRACK", "true")
    events = Events(int(sys.argv[1]))
    jobs: list[str] = []
    arrived = threading.Condition()
    threading.Thread(target=_leave_with_parent, args=(jobs, arrived), daemon=True).start()
    import pact  # noqa: F401, PLC0415 - after the reader runs, so that a parent that left is noticed

    events.send({"event": "ready"})
    while True:
        with arrived:
            while not jobs:
                arrived.wait()
            line = jobs.pop(0)
        try:
            JobRun(json.loads(line), events).run()
        except HandlersUnusable as error:
            events.send({"event": "failed", "message": str(error)})
        else:
            events.send({"event": "done"})


if __name__ == "__main__":
    main()
