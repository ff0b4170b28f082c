"""Contact sheets and plots, drawn for people; what is on them is decided elsewhere."""
