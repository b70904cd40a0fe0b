"""Stages: what dvc.yaml runs, `python -m furrow.stages.NAME`."""
