"""Tests of what every client of the project shares."""
