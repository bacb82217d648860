"""Sphinx configuration. Built with warnings as errors; nothing is fetched from elsewhere."""

from __future__ import annotations

from importlib.metadata import version as distribution_version

project = "dynaguard"
copyright = "the dynaguard contributors"
release = distribution_version("dynaguard")
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"dynaguard {release}"
html_static_path = ["_static"]
html_css_files = ["wrap.css"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# A copied console block is the commands without their prompts and output.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
