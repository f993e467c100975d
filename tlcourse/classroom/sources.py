"""The technique's own code, shown in a lesson as it stands in the package: never a copy."""

import ast
import inspect
import itertools
import sys
import textwrap
from pathlib import Path

from .rendering import present


def show_source(*objects, docstring: bool = False) -> None:
    """Display the source of functions, classes or methods, under the names of their files.

    Args:
        docstring: show the docstrings too.

    Raises:
        TypeError: an object has no Python source, or is not defined in a package's file.
        ValueError: nothing was given.
    """
    if not objects:
        raise ValueError("show_source needs a function, a class or a method")
    markdown, plain = [], []
    for file, together in itertools.groupby(objects, key=file_of):
        code = "\n\n\n".join(source_of(thing, docstring=docstring) for thing in together)
        markdown.append(f"<small>`{file}`</small>\n\n```python\n{code}\n```")
        plain.append(f"# {file}\n{code}")
    present({"text/markdown": "\n\n".join(markdown), "text/plain": "\n\n\n".join(plain)})


def source_of(thing, docstring: bool = False) -> str:
    """The source of a function, class or method, dedented; comments and formatting are kept."""
    try:
        source = textwrap.dedent(inspect.getsource(_definition(thing))).rstrip()
    except (TypeError, OSError) as error:
        raise TypeError(
            f"{thing!r} has no Python source; give a function, a class or a method of the package"
        ) from error
    return source if docstring else _without_docstrings(source)


def file_of(thing) -> str:
    """The file that defines it, relative to the folder that holds its package: `tlcourse/fine_tuning.py`."""
    definition = _definition(thing)
    package = sys.modules.get((getattr(definition, "__module__", None) or "").partition(".")[0])
    if package is None or getattr(package, "__file__", None) is None or package.__name__ == "__main__":
        raise TypeError(f"{thing!r} is not defined in a package's file; show what the package defines")
    home = Path(package.__file__).parent.parent if hasattr(package, "__path__") else Path(package.__file__).parent
    return Path(inspect.getsourcefile(definition)).relative_to(home).as_posix()


def _definition(thing):
    if isinstance(thing, property):
        thing = thing.fget
    return inspect.unwrap(thing) if callable(thing) else thing


def _without_docstrings(source: str) -> str:
    lines = source.splitlines()
    drop: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if (
            not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            or ast.get_docstring(node) is None
        ):
            continue
        if len(node.body) == 1:  # the docstring is all there is
            continue
        first, last = node.body[0].lineno, node.body[0].end_lineno
        while last < len(lines) and not lines[last].strip():  # the empty lines below it
            last += 1
        drop.update(range(first, last + 1))
    return "\n".join(line for number, line in enumerate(lines, 1) if number not in drop)
