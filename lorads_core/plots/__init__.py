"""Pictures that we draw for people: contact sheets and plots; what is on them is decided elsewhere."""
