"""Runs: declare (compile), record, read history, compare, search, replay."""
