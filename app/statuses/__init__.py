"""Commit statuses: what a commit is told of its runs."""
