"""The site: ``nox -s docs`` builds it with warnings as errors."""

project = "oodkit"
author = "The oodkit authors"
copyright = "The oodkit authors"  # noqa: A001 (Sphinx's word)
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "oodkit"
html_static_path = ["_static"]
html_css_files = ["site.css"]
smartquotes = False  # they make one dash of the two before an option
myst_heading_anchors = 3
