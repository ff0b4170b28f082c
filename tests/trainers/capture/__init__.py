"""Capture scripts: each feeds our configs to a trainer's own code and writes what it made of them as golden files.

They are run by hand, in the Python of the trainer, from the root of the checkout:
``python -m tests.trainers.capture.NAME FOLDER``, where FOLDER is that of the trainer. Compare what has changed before
you commit it. No model is loaded and nothing is trained; where a trainer's code cannot be called without one, the
script says which piece of it counts.
"""
