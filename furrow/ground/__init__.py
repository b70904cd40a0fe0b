"""Ground: the only package that touches dvc, feast, hydra, pygit2 and processes."""
