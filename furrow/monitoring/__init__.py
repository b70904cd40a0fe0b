"""Watching what is served.

Profiles, drift, labels that come late, performance, fairness, alarms.
"""
