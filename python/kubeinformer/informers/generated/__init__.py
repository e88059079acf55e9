"""Accessors of built-in resources: `groups` leads to them, `resources` is their table."""
