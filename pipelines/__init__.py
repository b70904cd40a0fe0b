"""The stages of dvc.yaml: thin entry points over the library."""
