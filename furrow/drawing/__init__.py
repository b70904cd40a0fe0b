"""Drawings as SVG text, for every page and report: they take their colours from the page that they stand on."""
