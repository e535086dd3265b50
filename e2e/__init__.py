"""The test bed: a local CDN-like origin, real media, real browsers, and the tests that swarm them."""
