"""The provider under test: the version that runs, and checkouts of its source."""
