"""Captions: where they come from, how tags of two taggers are merged, the trigger; it knows no files or database."""
