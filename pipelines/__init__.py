"""The stages of dvc.yaml: thin entry points over the library."""

import os

# OpenMP threads that wait by spinning take the processor from those that work when two fits run
# side by side (measured: six times the processor time). They read this when they are loaded, so it
# stands before any stage's imports.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
