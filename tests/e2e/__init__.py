"""The suite against a real cluster: ``make e2e``. The README says how to run it."""
