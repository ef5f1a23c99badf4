"""Reports of a verification: one module for each format, one interface (`interface.Report`)."""
