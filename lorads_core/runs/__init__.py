"""Runs: a trainer is started, watched, stopped and found again; what it shall do was decided by the export."""
