"""The procedure's report."""
