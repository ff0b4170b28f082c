"""Arguments and help of the commands of `lorads`, one module for each part of the work."""
