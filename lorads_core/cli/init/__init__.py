"""First settings: what is installed on this machine, and the ``lorads.toml`` made of it (`lorads init`)."""
