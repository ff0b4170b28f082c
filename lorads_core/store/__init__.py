"""Our own PostgreSQL: reaching it, its tables and queries; foreign libraries are in `library`."""
