"""Stages: what dvc.yaml runs, `python -m furrow.stages.NAME`."""

from furrow.ground.openmp import wait_asleep

wait_asleep()  # before a stage's own imports load OpenMP
