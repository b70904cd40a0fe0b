"""Pages of a repository, live and exported.

Read-only, made by the server, each also JSON and CSV.
"""
