"""A folder on the PYTHONPATH of trainers on Windows: what each of their Pythons does when it starts."""
