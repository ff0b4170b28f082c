"""Choosing among images by numbers alone: centres, bands, picks, duplicates, clusters; no file, no table."""
