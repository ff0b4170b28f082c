"""A trained LoRA put to the test: what is drawn with it, how that is scored and laid out, and the stored results."""
