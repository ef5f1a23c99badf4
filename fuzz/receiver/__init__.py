"""Requests to the receiver, and what it may answer and log."""
