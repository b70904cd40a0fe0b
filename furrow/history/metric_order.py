"""In which order metrics are listed.

The registry's, whose own module takes too long to load for a list of runs.
"""

from __future__ import annotations

__all__ = ["METRIC_ORDER"]

METRIC_ORDER = (
    "roc_auc",
    "pr_auc",
    "log_loss",
    "brier",
    "ece",
    "accuracy",
    "balanced_accuracy",
    "f1",
    "recall_at_precision",
    "f1_macro",
    "f1_weighted",
    "precision_macro",
    "recall_macro",
    "roc_auc_macro",
    "roc_auc_weighted",
    "rmse",
    "mae",
    "median_ae",
    "r2",
    "mape",
    "pinball",
    "interval_coverage",
    "interval_width",
    "wape",
    "mase",
)
"""The names of the registry's metrics; a test holds them to it."""
