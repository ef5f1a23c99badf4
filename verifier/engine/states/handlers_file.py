"""Loading the user's provider state handlers from a Python file."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from verifier.engine.protocol import HandlersUnusable
from verifier.engine.states.python_call import WrongSignature, check_call

ARGUMENTS = ("action", "parameters")
"""The arguments that any handler may ask for; one for all states also `state`, the first."""


def load_handlers(file: str, name: str) -> Any:
    """Load provider state handlers: the object NAME of FILE.

    Raises:
        HandlersUnusable: There is no such object, or the file can't be run.
    """
    path = Path(file)
    if sys.flags.isolated:  # Python has ignored it for our code, but the user's code needs it
        sys.path[:0] = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    for folder in (str(Path.cwd()), str(path.resolve().parent)):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise HandlersUnusable(f"--provider-states: {file} can't be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise HandlersUnusable(f"--provider-states: {file} raised {type(error).__name__}: {error}") from error
    if not hasattr(module, name):
        there = ", ".join(key for key in vars(module) if not key.startswith("_")) or "nothing"
        raise HandlersUnusable(f"--provider-states: there is no {name} in {file}; there is: {there}")
    handlers = getattr(module, name)
    _check(handlers, f"--provider-states: {name} in {file}")
    return handlers


def _check(handlers: Any, what: str) -> None:
    """Make sure that handlers can be called.

    Raises:
        HandlersUnusable: They can't.
    """
    names: tuple[str, ...] = ARGUMENTS
    if callable(handlers):
        functions, names = {what: handlers}, ("state", *ARGUMENTS)
    elif isinstance(handlers, dict) and all(map(callable, handlers.values())):
        functions = {f"{what}: the handler of state {state!r}": one for state, one in handlers.items()}
    else:
        raise HandlersUnusable(f"{what} is neither a function nor a dict of functions by state name")
    for which, function in functions.items():
        try:
            check_call(function, names)
        except WrongSignature as error:
            raise HandlersUnusable(f"{which} {error}") from error
