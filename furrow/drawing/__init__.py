"""Drawings as SVG text, for every page and report.

They take their colours from the page that they stand on.
"""
