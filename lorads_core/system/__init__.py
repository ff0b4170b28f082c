"""What differs between Windows, macOS and Linux: files in use, detached processes, command lines, file names."""
