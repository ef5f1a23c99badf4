"""The targets: one module for each kind of hostile input."""
