"""Our own PostgreSQL: reaching it, its tables and what is asked of them; libraries of others are read elsewhere."""
