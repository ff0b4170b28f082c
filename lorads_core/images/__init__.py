"""Image files: what one is, how it is read right, how it is written; nothing here knows a library or a dataset."""
