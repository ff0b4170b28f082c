"""The house holds its shape: few names at the top of the core, no import cycle, and the field's words."""

import ast
import re
from itertools import chain
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "lorads_core"
MOST_MODULES, MOST_PACKAGES = 13, 16  # at the top of lorads_core: as much as a newcomer reads at one look

# Words of our own making that a reader can neither guess nor search for. "There is none" is good English and allowed.
BANNED = re.compile(
    r"\b(told|kept|mend|mends|mended|anew|spelt|asked|desk|likest|somebody|whoever|whomever|learnt|by comma|so many"
    r"|pictures?)\b",
    re.IGNORECASE,
)
# "Image" is what trainers, datasets and ComfyUI say. These are names that stay: folders of a system, the library that
# is there without settings, a setting, an input and an output of nodes.
NAMES = re.compile(
    r"[\w~/\\]*[/\\]pictures\b|\bmy_pictures\b|compare[_ ]pictures\b|--library pictures\b|\[roots\] pictures\b"
    r"|([\"'`])pictures?\1|^pictures(?=$| = )|^picture$",
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
        if not SQL.search(text) and (found := find(text))
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
    "text",
    [
        'def told(): ""',
        "class Kept: ...",
        'x = "Mend its rights."',
        "class A:\n    kept: int",
        '"it is kept."',
        '"The picture is gone."',
        "def of_pictures(): ...",
    ],
)
def test_a_banned_word_is_found_in_names_and_texts(text):
    assert len(banned_in("a.py", text)) == 1


@pytest.mark.parametrize(
    "text",
    ["~/Pictures/tom", "pictures", "--library pictures", "see [roots] pictures", 'a list, e.g. ["/data/pictures"]'],
)
def test_names_that_stay_are_not_banned(text):
    assert banned_in("a.py", repr(text)) == []


def test_the_words_of_a_statement_are_not_read():
    assert banned_in("a.py", '"SELECT kept.id FROM images kept"') == []


def banned_lines(name, text):
    lines = enumerate(text.splitlines(), 1)
    return [f"{name}:{n}: {found.group()!r} in {line.strip()[:80]!r}" for n, line in lines if (found := find(line))]


def find(text):
    """Find a banned word in a text; names in camel case are read as their words."""
    return BANNED.search(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", NAMES.sub("", text)))


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


@pytest.mark.parametrize(
    "line", ["// it is kept", "const askedNow = keptRow;", "use(pictures)", '"widgets_values": ["tags by comma"]']
)
def test_a_banned_word_is_found_in_a_text(line):
    assert len(banned_lines("a.js", f"// fine\n{line}")) == 1


# Who may open a file to read it by another way than `system.files`, which waits for no pipe, socket or device; and why.
READERS = {
    "lorads_core/system/files.py": "is the way itself",
    "lorads_core/system/append.py": "appends",
    "lorads_core/system/sync.py": "writes through to the disk what was written",
    "lorads_core/system/peers.py": "reads /proc",
    "lorads_core/cli/output.py": "opens the null device",
    "lorads_core/store/stopping.py": "reads the server's log, in our own folder",
    "lorads_core/captions/tokens.py": "reads a file of our own package",
    "lorads_core/library/kinds/__init__.py": "opens a library, not a file",
    "lorads_core/store/cluster.py": "reads the server's log, in our own folder",
    "lorads_core/store/connect.py": "opens a pool of connections",
    "lorads_core/store/locks.py": "opens lock files of our own",
    "lorads_core/store/binaries.py": "writes",
    "lorads_core/store/backup.py": "reads the archive whose size it has looked at",
    "lorads_core/system/names.py": "asks macOS for the name of what is open",
    "lorads_core/panel/thumbnails.py": "reads thumbnails, in our own folder",
    "lorads_core/trainers/probes.py": "runs in the trainer's Python, on what we have just written",
    "lorads_core/trainers/onetrainer/probe.py": "reads configs that we have just written, there too",
    "lorads_core/trainers/ai_toolkit/probe.py": "as OneTrainer's",
    "lorads_core/trainers/simpletuner/probe.py": "as OneTrainer's",
}


def plain_reads(source):
    """Yield the lines in which a file is opened to be read: `open`, `os.open`, `read_text`, `read_bytes`."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        is_method = isinstance(node.func, ast.Attribute)
        name = node.func.attr if is_method else getattr(node.func, "id", "")
        of = getattr(node.func.value, "id", "") if is_method else ""
        if name == "open":
            found = of not in {"gzip", "Image", "Store"} and not writes(
                node.args[0 if is_method and of != "os" else 1 :]
            )
        else:
            found = name in {"read_text", "read_bytes"} and is_method and of != "files"
        if found:
            yield node.lineno


def writes(arguments):
    """Say whether the arguments of `open`, from the mode on, are those of a file to be written."""
    return any(
        isinstance(each, ast.Constant) and set("wxa") & set(str(each.value))
        for each in chain(*map(ast.walk, arguments[:1]))
    )


def test_files_are_read_by_the_one_way_that_waits_for_no_pipe():
    paths = [path for part in parts() for path in files(part)]
    found = {
        path.relative_to(ROOT).as_posix(): lines
        for path in paths
        if (lines := list(plain_reads(path.read_text(encoding="utf-8"))))
    }
    others = {name: lines for name, lines in found.items() if name not in READERS}
    assert others == {}, "read by system.files, or give the reason in READERS"


@pytest.mark.parametrize(
    "line",
    [
        "open('a')",
        "open(a, 'rb')",
        "path.open()",
        "path.open('rb')",
        "path.read_text()",
        "a.b.read_bytes()",
        "os.open(a, 0)",
    ],
)
def test_a_plain_read_is_found(line):
    assert list(plain_reads(line)) == [1]


@pytest.mark.parametrize(
    "line",
    ["files.read_text(a)", "read_bytes(a)", "path.open('wb')", "open(a, 'x')", "open_regular(a)", "Image.open(a)"],
)
def test_a_read_that_waits_for_no_pipe_is_not_found(line):
    assert list(plain_reads(line)) == []
