"""Speed, measured side by side: see README.md. Each script is `python -m benchmarks.<name>`."""
