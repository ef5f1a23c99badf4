"""Traces sent to a collector (OTLP over HTTP)."""
