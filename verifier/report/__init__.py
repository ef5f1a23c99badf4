"""Reports of a verification: one module a format, one interface (`interface.Report`)."""
