"""The matrix, and `can-i-deploy`."""
