"""The whole loop on history: a real server that follows Git, late labels, monitoring, retraining, trial, promotion."""
