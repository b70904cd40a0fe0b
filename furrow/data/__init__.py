"""Data: the contract that raw data must keep, its check, and the profile."""
