"""Sphinx settings: one site of tutorial, guides, structures, reference, formats and decisions."""

import engagehub_core

project = "engagehub-core"
author = "The engagehub-core maintainers"
copyright = "The engagehub-core maintainers, MIT"
version = release = engagehub_core.__version__

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
autosummary_generate = False
html_theme = "furo"
html_title = f"engagehub-core {release}"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc sections say the types
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
numpydoc_class_members_toctree = False

# Names of the standard library are not linked, so that building the site needs no network.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!engagehub).*"), ("py:.*", r"engagehub_core\._native\..*")]
