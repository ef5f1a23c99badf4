"""Loading the user's provider state handlers from a Python file."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from verifier.engine.protocol import HandlersUnusable


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
    except Exception as error:  # the user's code may raise anything
        raise HandlersUnusable(f"--provider-states: {file} raised {type(error).__name__}: {error}") from error
    if not hasattr(module, name):
        there = ", ".join(key for key in vars(module) if not key.startswith("_")) or "nothing"
        raise HandlersUnusable(f"--provider-states: there is no {name} in {file}; there is: {there}")
    handlers = getattr(module, name)
    if not (callable(handlers) or (isinstance(handlers, dict) and all(map(callable, handlers.values())))):
        raise HandlersUnusable(
            f"--provider-states: {name} in {file} is neither a function nor a dict of functions by state name"
        )
    return handlers
