"""What models that look at pictures have in common, whatever they look for; it keeps nothing of what they say."""
