"""How Sphinx builds these pages: ``python3 dev.py docs``."""

import builtins
import importlib.metadata
import os
import sys
from pathlib import Path

import attrs
from sphinx.addnodes import pending_xref
from sphinx.ext.napoleon import GoogleDocstring
from sphinx.pycode import ModuleAnalyzer

sys.path.insert(0, str(Path(__file__).parent))
import state_machine

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
exclude_patterns = ["_build", "benchmarks"]  # the latter are included by a page
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
    (r"py:.*", r"(attrs?|cattrs|collections|contextlib|httpx2?|json|ssl|trio|types|typing)\..*"),
    (r"py:class", r"(?!trio_stream\.).*"),  # annotations: aliases and the types of others
    (
        r"py:class",
        r"trio_stream\.([\w.]*\.)?_\w+\.\w+",
    ),  # private, in the signature of a public one
    (r"py:class", r"trio_stream\.([\w.]*\.)?([A-Z]|[A-Z]\w*_(co|contra))"),  # type variables
    (r"py:obj", r"[a-z_]+|Decimal|UUID"),  # a method, an argument, a type, named without its home
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


def leave_builtins_alone(app, doctree):
    """Keep Sphinx from taking ``type`` in an annotation for an attribute of that name."""
    for node in doctree.findall(pending_xref):
        if node.get("reftype") == "class" and node["reftarget"] in dir(builtins):
            node.attributes.pop("refspecific", None)


def find_by_last_part(app, env, node, contnode):
    """Let `Name` mean the one documented name that ends so, in whatever module."""
    if node.get("refdomain") != "py" or node["reftarget"] in dir(builtins):
        return None
    python, target = env.domains.python_domain, node["reftarget"]
    # A class is known by the module that it lives in, too (aliased); it is documented once.
    found = [name for name, it in python.find_obj(env, "", "", target, None, 1) if not it.aliased]
    if len(found) != 1:
        return None
    node["refspecific"] = True
    return python.resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], target, node, contnode
    )


def show_defaults(app, what, name, obj, *more):
    """Write the defaults of attrs fields, which Sphinx quotes from the code that attrs makes."""
    _options, signature, annotation = more
    if signature and what in {"class", "exception"} and attrs.has(obj):
        for field in attrs.fields(obj):
            signature = signature.replace(f"attr_dict['{field.name}'].default", repr(field.default))
        signature = signature.replace("= NOTHING", "= ...")
    return signature, annotation


# These pages give one signature, where the source has an overload for each use.
OVERLOADED = [
    "trio_stream.items._decoder",
    "trio_stream.pipeline._open",
    "trio_stream.testing._memory",
    "trio_stream.tools._tool",
]


def forget_overloads(app):
    """Keep autodoc from listing them."""
    for name in OVERLOADED:
        analyzer = ModuleAnalyzer.for_module(name)
        analyzer.analyze()
        analyzer.overloads.clear()


def draw_phases(app):
    """Draw the phases of a stream, from the table that the code runs by."""
    state_machine.write(Path(app.srcdir) / "_build" / "phases.svg")


def setup(app):
    """Called by Sphinx."""
    app.connect("builder-inited", forget_overloads)
    app.connect("builder-inited", draw_phases)
    GoogleDocstring._consume_inline_attribute = describe_attribute
    app.connect("autodoc-process-signature", show_defaults)
    app.connect("doctree-read", leave_builtins_alone)
    app.connect("missing-reference", find_by_last_part)
