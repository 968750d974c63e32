"""The site: ``nox -s docs`` builds it with warnings as errors."""

project = "oodkit"
author = "The oodkit authors"
copyright = "The oodkit authors"  # noqa: A001 (Sphinx's word)
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "oodkit"
myst_heading_anchors = 3
