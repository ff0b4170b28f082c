"""The Regularization Finder: images that look like the training set and do not show its subject."""
