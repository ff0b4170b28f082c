"""A dataset on disk: planned without touching a file, built beside its place, then put there whole by a rename."""
