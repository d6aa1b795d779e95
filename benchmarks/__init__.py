"""Benchmarks of speed: see README.md. Each is `python -m benchmarks.<name>`."""
