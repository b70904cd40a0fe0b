"""Features: the manifest and digests, materialization, the catalog, the online client."""
