"""Benchmarks of kubeinformer and of what people use instead; `README.md` says what is measured and how."""
