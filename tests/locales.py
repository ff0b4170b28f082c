"""Translations of the nodes: ``python -m tests.locales`` reports gaps and stale texts, ``--write`` makes the English.

English is the source: ``locales/en/nodeDefs.json`` is written from the schemas of the nodes. The other languages may
lack any text, as ComfyUI's frontend falls back to English there. ``translated_from.json`` beside the node tests holds,
for each language, a checksum of the English text that each translation was made from: where the English has changed
since, the translation is stale. After a translation was revised, run ``python -m tests.locales --current LANGUAGE``.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

from .nodes.pack import ROOT, loaded

LOCALES = ROOT / "locales"
TRANSLATIONS = tuple(sorted(path.name for path in LOCALES.iterdir() if path.name != "en"))
TRANSLATED_FROM = ROOT / "tests" / "nodes" / "translated_from.json"


def read(language, name="nodeDefs"):
    """Return one file of a language as parsed JSON; a file that the language lacks is empty."""
    path = LOCALES / language / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def flat(texts, path=()):
    """Return every text of a file by its path, e.g. node, "inputs", input, "tooltip"."""
    if isinstance(texts, str):
        return {path: texts}
    return {key: text for name, inner in texts.items() for key, text in flat(inner, (*path, name)).items()}


def english(schemas):
    """Return what ``nodeDefs.json`` holds in English, from the schemas of the nodes by id."""
    return {
        name: {
            "display_name": schema.display_name,
            "description": schema.description,
            # The frontend replaces the dots in ids of dynamic inputs with underscores.
            "inputs": {each.id.replace(".", "_"): _texts(each) for each in schema.inputs},
            "outputs": {str(number): _texts(each) for number, each in enumerate(schema.outputs)},
        }
        for name, schema in schemas.items()
    }


def _texts(item):
    texts = {"name": item.display_name or item.id}
    return texts | {"tooltip": item.tooltip} if item.tooltip else texts


def report(source, translation, checksums):
    """Return the paths that a translation lacks, and those whose English has changed since they were translated."""
    missing = [path for path in source if path not in translation]
    stale = [path for path in translation if path in source and checksums.get(".".join(path)) != checksum(source[path])]
    return missing, stale


def checksum(text):
    """Return eight hexadecimal digits that change with a text."""
    return f"{zlib.crc32(text.encode()):08x}"


def current_schemas():
    """Return the schemas of all nodes by id; lorads.toml is empty."""
    with TemporaryDirectory() as folder:
        settings = Path(folder) / "lorads.toml"
        settings.touch()
        with loaded(Path(folder), settings) as pack:
            return {name: node.define_schema() for name, node in pack.nodes.items()}


def write_json(path, values):
    """Write a JSON file as the others in ``locales/`` are."""
    text = json.dumps(values, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def main(arguments=None):
    """Report, or write what was asked for; the exit code is 0 also where there are gaps."""
    parser = argparse.ArgumentParser(prog="python -m tests.locales", description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write locales/en/nodeDefs.json from the node schemas")
    parser.add_argument("--current", choices=TRANSLATIONS, action="append", default=[], help="no text of it is stale")
    options = parser.parse_args(arguments)
    if options.write:
        write_json(LOCALES / "en" / "nodeDefs.json", english(current_schemas()))
    source = flat(read("en"))
    checksums = json.loads(TRANSLATED_FROM.read_text(encoding="utf-8"))
    for language in options.current:
        there = flat(read(language))
        checksums[language] = {".".join(path): checksum(text) for path, text in source.items() if path in there}
        write_json(TRANSLATED_FROM, checksums)
    for language in TRANSLATIONS:
        missing, stale = report(source, flat(read(language)), checksums.get(language, {}))
        sys.stdout.write(f"{language}: {len(missing)} missing, {len(stale)} stale of {len(source)} texts\n")
        for what, paths in (("missing", missing), ("stale", stale)):
            sys.stdout.writelines(f"  {what}: {'.'.join(path)}\n" for path in paths)


if __name__ == "__main__":
    main()
