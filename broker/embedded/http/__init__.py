"""Request bodies, HAL, errors and paths, for all routes."""
