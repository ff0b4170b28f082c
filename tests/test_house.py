"""The house holds its shape: few names at the top of the core, no import cycle, and the field's words."""

import ast
import re
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "lorads_core"
MOST_MODULES, MOST_PACKAGES = 12, 15  # at the top of lorads_core: as much as a newcomer reads at one look

# Words of our own making that a reader can neither guess nor search for. "There is none" is good English and allowed.
BANNED = re.compile(
    r"\b(told|kept|mend|mends|mended|anew|spelt|asked|desk|likest|somebody|whoever|whomever|learnt|by comma)\b",
    re.IGNORECASE,
)
# Statements give rows that are there already the alias `kept`, which no user reads.
SQL = re.compile(r"\b(SELECT|UPDATE|DELETE|INSERT|JOIN|WHERE|CASE WHEN)\b")

# Texts for readers outside of Python: the page's modules, comments and names included, help, documents and templates.
TEXTS = ("web/**/*.js", "web/docs/*/en.md", "docs/*.md", "README.md", "CONTRIBUTING.md", "example_workflows/*.json")
VENDORED = ROOT / "web" / "vendor"


def parts():
    """The packages and modules at the top of the core, and the nodes."""
    found = [path for path in sorted(CORE.iterdir()) if path.suffix == ".py" or (path / "__init__.py").is_file()]
    return [*found, CORE.parent / "nodes"]


def files(part):
    return sorted(part.rglob("*.py")) if part.is_dir() else [part]


def texts(tree):
    """Yield line and text of each string literal (docstrings and messages), and of each public name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name.replace("_", " ")
            body = node.body if isinstance(node, ast.ClassDef) else ()
            for member in body:
                if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
                    yield member.lineno, member.name.replace("_", " ")
                if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                    yield member.lineno, member.target.id.replace("_", " ")


def banned(part):
    return [
        line
        for path in files(part)
        for line in banned_in(path.relative_to(CORE.parent).as_posix(), path.read_text(encoding="utf-8"))
    ]


def banned_in(name, source):
    return [
        f"{name}:{line}: {found.group()!r} in {text.strip()[:80]!r}"
        for line, text in texts(ast.parse(source))
        if not SQL.search(text) and (found := BANNED.search(text))
    ]


def reached(graph, start):
    """Return every module that one imports, directly or not."""
    found, left = set(), [start]
    while left:
        fresh = set(graph.get(left.pop(), ())) - found
        found |= fresh
        left += fresh
    return found


def cycles(graph):
    """Return the groups of modules that import each other."""
    below = {module: reached(graph, module) for module in graph}
    groups = {tuple(sorted(other for other in below[one] if one in below.get(other, ()))) for one in graph}
    return [list(group) for group in sorted(groups) if group]


@pytest.fixture(scope="module")
def graph():
    """All imports between modules of the core, those under TYPE_CHECKING too."""
    built = grimp.build_graph("lorads_core", cache_dir=None, exclude_type_checking_imports=False)
    return {module: built.find_modules_directly_imported_by(module) for module in built.modules}


def test_the_top_of_the_core_is_small():
    top = [path for path in CORE.iterdir() if path.name != "samples"]
    modules = [path.name for path in top if path.suffix == ".py" and not path.name.startswith("__")]
    packages = [path.name for path in top if (path / "__init__.py").is_file()]
    assert len(modules) <= MOST_MODULES, modules
    assert len(packages) <= MOST_PACKAGES, packages


def test_no_modules_import_each_other(graph):
    assert len(graph) > 200
    assert cycles(graph) == []


def test_a_cycle_is_found_whatever_its_length():
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == [["b", "c"]]
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == [["a", "b", "c"]]
    assert cycles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize("part", parts(), ids=lambda part: part.stem)
def test_names_and_texts_have_no_banned_words(part):
    found = banned(part)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text", ['def told(): ""', "class Kept: ...", 'x = "Mend its rights."', "class A:\n    kept: int", '"it is kept."']
)
def test_a_banned_word_is_found_in_names_and_texts(text):
    assert len(banned_in("a.py", text)) == 1


def test_the_words_of_a_statement_are_not_read():
    assert banned_in("a.py", '"SELECT kept.id FROM images kept"') == []


def banned_lines(name, text):
    lines = enumerate(text.splitlines(), 1)
    return [f"{name}:{n}: {found.group()!r} in {line.strip()[:80]!r}" for n, line in lines if (found := find(line))]


def find(line):
    """Find a banned word in a line; names in camel case are read as their words."""
    return BANNED.search(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", line))


@pytest.mark.parametrize("pattern", TEXTS)
def test_texts_outside_of_python_have_no_banned_words(pattern):
    paths = [path for path in sorted(ROOT.glob(pattern)) if VENDORED not in path.parents]
    assert paths
    found = [
        line
        for path in paths
        for line in banned_lines(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("line", ["// it is kept", "const askedNow = keptRow;", '"widgets_values": ["tags by comma"]'])
def test_a_banned_word_is_found_in_a_text(line):
    assert len(banned_lines("a.js", f"// fine\n{line}")) == 1
