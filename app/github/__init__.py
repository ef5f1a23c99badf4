"""Requests to GitHub's API, and what its answers mean."""
