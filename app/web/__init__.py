"""The web side of the receiver: the only package that uses Flask and gunicorn."""
