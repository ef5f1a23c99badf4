"""What all routes share: request bodies, HAL, errors, paths."""
