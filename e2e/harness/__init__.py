"""What the end-to-end tests, `make demo` and the benches stand on. Nothing here is shipped."""
