"""Statistical methods: numbers in, estimates and intervals out."""
