"""Traces: what a piece of work took its time for, over all processes that did it; off unless somebody takes them."""
