"""Watching what is served: profiles, drift, labels that come late, performance, fairness, alarms."""
