"""The conformance kit: what a plugin must do, and checks that try it."""
