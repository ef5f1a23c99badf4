"""The reports of a run of many pacts: one module for each format, as for one pact."""
