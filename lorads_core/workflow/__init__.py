"""What nodes, command line and panel call: index, query, regularize, caption, export, train, curate."""
