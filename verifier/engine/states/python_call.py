"""How a provider state handler in Python is called: with those of its arguments that its signature asks for.

As with pact-python's `state_handler`, arguments go by name where the signature has the name, and the others in their
order. No I/O.
"""

from __future__ import annotations

import inspect
from inspect import Parameter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

OTHER_NAMES = {"params": "parameters"}
"""What people call an argument, too."""
_LATER: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (inspect.iscoroutinefunction, "a coroutine function (async def)"),
    (inspect.isgeneratorfunction, "a generator function (yield)"),
    (inspect.isasyncgenfunction, "an asynchronous generator function"),
)
_VARIADIC = frozenset({Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD})


class WrongSignature(Exception):
    """A handler can't be called with what it is given; the message is the end of a sentence about it."""


def check_call(function: Callable[..., Any], names: Iterable[str]) -> None:
    """Make sure that a handler can be called, and does its work when it is.

    Args:
        function: The handler.
        names: The names of the arguments that it may ask for.

    Raises:
        WrongSignature: It can't, or it would only return a coroutine or a generator, which nobody runs.
    """
    names = tuple(names)
    expected = f"write it as def handler({', '.join(names)})"
    method = vars(type(function)).get("__call__")  # of an object that is called as a function is
    for is_such, kind in _LATER:
        if is_such(function) or is_such(method):
            raise WrongSignature(f"is {kind}, whose call does nothing yet: {expected}")
    try:
        arguments_for(function, dict.fromkeys(names))
    except (TypeError, ValueError) as error:
        raise WrongSignature(
            f"can't be called: {error}. {expected.capitalize()}, or with fewer of these arguments"
        ) from error


def is_still_to_be_run(value: Any) -> bool:
    """Return whether what a handler has returned is what it should have done: a coroutine, say, that nobody awaits."""
    value = getattr(value, "gen", value)  # of a function that `contextlib.contextmanager` has made
    return inspect.isawaitable(value) or inspect.isgenerator(value) or inspect.isasyncgen(value)


def arguments_for(
    function: Callable[..., Any], given: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional and the keyword arguments with which a handler is called.

    Args:
        function: The handler.
        given: The arguments that it may ask for, in their order.

    Raises:
        TypeError: It asks for others.
        ValueError: Its signature can't be seen, as with some functions that are written in C.
    """
    signature = inspect.signature(function)
    parameters = signature.parameters.values()
    single = [one for one in parameters if one.kind not in _VARIADIC]
    left = dict(given)
    names = {one.name: OTHER_NAMES.get(one.name, one.name) for one in single}
    values = {name: left.pop(of) for name, of in names.items() if of in left}
    places = [
        one.name
        for one in single
        if one.name not in values and one.default is one.empty and one.kind != one.KEYWORD_ONLY
    ]
    if len(places) < len(left) and len(single) == len(parameters):
        left.pop("action", None)  # a handler that only sets up does without it
    for place, name in zip(places, list(left), strict=False):
        values[place] = left.pop(name)
    bound = signature.bind_partial()
    bound.arguments.update(values)
    for one in parameters:
        if one.kind == one.VAR_POSITIONAL:
            bound.apply_defaults()  # what stands before it has to go by position, too
            bound.arguments[one.name] = tuple(left.values())
            left = {}
        elif one.kind == one.VAR_KEYWORD:
            bound.arguments[one.name] = left
    signature.bind(*bound.args, **bound.kwargs)
    return bound.args, bound.kwargs
