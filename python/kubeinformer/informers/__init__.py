"""Factories and the accessors of every built-in resource (client-go's informers package)."""
