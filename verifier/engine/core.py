"""The functions of pact-python's core that a verification takes.

pact-python's own modules take 45 ms to import, more than a handful of interactions take to be verified, while the core
itself, a shared library in the package `pact_ffi`, is there in 3 ms. So its C interface is called here directly.
"""

from __future__ import annotations

import json
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import TYPE_CHECKING, Any, Self

from verifier.log_level import LogLevel

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_PACKAGE = "pact_ffi"
DEFAULT_PORTS = {"http": 80, "https": 443}
"""The ports of the schemes that need none in a URL."""


def _load() -> Any:
    """Return the module with the core and its C types, without running the package that it is in."""
    package = PathFinder.find_spec(_PACKAGE)
    folders = package.submodule_search_locations if package is not None else None
    spec = PathFinder.find_spec("ffi", folders) if folders else None
    if spec is None or spec.loader is None:
        return import_module(f"{_PACKAGE}.ffi")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_bindings = _load()
_core, _ffi = _bindings.lib, _bindings.ffi


def log_to(file: Path, level: LogLevel) -> None:
    """Have the core append its log to a file, from now on and once in a process.

    Args:
        file: The file.
        level: How much it writes.
    """
    _core.pactffi_log_to_file(_text(str(file)), list(LogLevel).index(level) + 1)  # 0 is nothing


class CoreVerifier:
    """One verification by the core, of the pact in one file.

    Use it as a context manager: leaving it gives back what the core keeps for it.
    """

    def __init__(self) -> None:
        self._handle = _core.pactffi_verifier_new_for_application(b"pact-dispatch", b"")
        _core.pactffi_verifier_set_coloured_output(self._handle, False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _core.pactffi_verifier_shutdown(self._handle)

    def set_provider(
        self, name: str, *, scheme: str | None, host: str, port: int | None, path: str | None
    ) -> None:
        """Say which provider it is, and how it is reached.

        Args:
            name: The provider's name.
            scheme: `http` or `https`; None if it is reached by another transport alone.
            host: The host, an IPv6 address in brackets.
            port: The port; None for that of the scheme.
            path: The path below which everything is.
        """
        _core.pactffi_verifier_set_provider_info(
            self._handle,
            _text(name),
            _text(scheme),
            _text(host),
            port or DEFAULT_PORTS.get(scheme or "", 0),
            _text(path),
        )

    def add_transport(self, protocol: str, *, port: int | None, path: str | None) -> None:
        """Add another way to reach the provider."""
        _core.pactffi_verifier_add_provider_transport(
            self._handle, _text(protocol), port or 0, _text(path), _ffi.NULL
        )

    def add_custom_header(self, name: str, value: str) -> None:
        """Add a header to each request."""
        _core.pactffi_verifier_add_custom_header(self._handle, name.encode(), value.encode())

    def set_states_url(self, url: str, *, teardown: bool) -> None:
        """Say where provider states are set up, by a POST with a JSON body."""
        _core.pactffi_verifier_set_provider_state(self._handle, _text(url), teardown, True)

    def set_requests(self, *, timeout: float, checks_certificates: bool) -> None:
        """Set the timeout of each request, in seconds, and whether the provider's certificate is checked."""
        _core.pactffi_verifier_set_verification_options(
            self._handle, not checks_certificates, int(timeout * 1000)
        )

    def verify(self, pact: Path) -> dict[str, Any]:
        """Verify the pact in a file.

        Returns:
            What the core reports, with `interactionResults` and `errors`; these say what came of it.
        """
        _core.pactffi_verifier_add_file_source(self._handle, _text(str(pact)))
        _core.pactffi_verifier_execute(self._handle)
        text = _core.pactffi_verifier_json(self._handle)
        if text == _ffi.NULL:
            return {}
        try:
            found: dict[str, Any] = json.loads(_ffi.string(text))
        finally:
            _core.pactffi_string_delete(text)
        return found


def _text(value: str | None) -> Any:
    return value.encode() if value else _ffi.NULL
