"""How Sphinx makes the site: Markdown by MyST, the theme Furo, a search that needs no network. `make docs` runs it."""

project = "Furrow"
html_title = "Furrow"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
exclude_patterns = ["pictures"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
suppress_warnings = ["myst.xref_missing"]
"""Links to files of the repository, which are no pages; the tests follow each of them."""
