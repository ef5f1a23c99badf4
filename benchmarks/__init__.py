"""Benchmarks, each beside comparable programs in the same run."""
