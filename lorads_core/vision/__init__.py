"""What models that look at images have in common, whatever they look for; it keeps nothing of what they say."""
