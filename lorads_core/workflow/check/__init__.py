"""Audit of a training set that exists: what its trainer would really train, and what is wrong with it.

It reads the files, needs no store and changes nothing. `read_set` reads, `findings` judges, `report` tells.
"""
