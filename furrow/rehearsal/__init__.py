"""The whole loop on history.

A real server that follows Git, late labels, monitoring, retraining, trial, promotion.
"""
