"""How Sphinx builds these pages: ``python3 dev.py docs``."""

import builtins
import importlib.metadata
import os

from sphinx.ext.napoleon import GoogleDocstring

project = "trio_stream"
author = "the trio_stream authors"
copyright = author  # noqa: A001 - Sphinx wants this name
release = importlib.metadata.version("trio-stream")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxcontrib_trio",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"trio_stream {release}"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_rtype = False

default_role = "py:obj"  # `Name` in a docstring links to that name

# Sphinx warns (-n) of each name that it cannot link, and a warning fails the build (-W). Exempt:
nitpick_ignore_regex = [
    (r"py:.*", "|".join(dir(builtins))),
    (r"py:.*", r"(attrs?|cattrs|collections|contextlib|httpx2?|ssl|trio|types|typing)\..*"),
    (r"py:class", r"(?!trio_stream\.).*"),  # annotations: aliases and the types of others
    (r"py:class", r"trio_stream\.([\w.]*\.)?([A-Z]|[A-Z]\w*_(co|contra))"),  # type variables
    (r"py:obj", r"[a-z_]+"),  # a method or an argument, named without its class
]

# Links into other projects need the network; a build on a developer's machine must not.
if "READTHEDOCS" in os.environ:
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "trio": ("https://trio.readthedocs.io/en/stable", None),
        "attrs": ("https://www.attrs.org/en/stable", None),
        "cattrs": ("https://catt.rs/en/stable", None),
    }


def describe_attribute(docstring):
    """Read the docstring of an attribute as text: its type is annotated.

    Napoleon would take "Whether it is over: ..." for a type and its description.
    """
    return "", type(docstring)(docstring._consume_to_end(), docstring._config).lines()


def find_by_last_part(app, env, node, contnode):
    """Let `Name` mean the one documented name that ends so, in whatever module."""
    python, target = env.domains.python_domain, node["reftarget"]
    if node.get("refdomain") != "py" or len(python.find_obj(env, "", "", target, None, 1)) != 1:
        return None
    node["refspecific"] = True
    return python.resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], target, node, contnode
    )


def setup(app):
    """Called by Sphinx."""
    GoogleDocstring._consume_inline_attribute = describe_attribute
    app.connect("missing-reference", find_by_last_part)
