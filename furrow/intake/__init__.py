"""Intake: somebody's own files (CSV, JSON lines, Parquet, Excel, databases) read, typed, profiled and landed."""
