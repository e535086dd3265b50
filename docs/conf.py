"""Builds these pages as a site: `make docs`, which is Sphinx with MyST."""

from peerpool import __version__

project = "Media PeerPool"
version = release = __version__
extensions = ["myst_parser"]
html_theme = "furo"
html_title = f"Media PeerPool {__version__}"
exclude_patterns = ["benchmarks/sim/*", "benchmarks/sim-1000/*"]
myst_heading_anchors = 4
# Blocks without a language are commands and what they print.
highlight_language = "none"
# Links to files of the repository that are no pages.
suppress_warnings = ["myst.xref_missing"]
