"""A stand-in for NVIDIA's nvidia-smi, on the PATH: it answers the queries that LoRADS makes from two files."""

import os
import sys
from pathlib import Path

_PROGRAM = """#!{python}
import sys
from pathlib import Path

folder = Path(__file__).parent
(folder / "calls").open("a").write("x")
asked = "cards" if sys.argv[1].startswith("--query-gpu=uuid,name,memory.total,memory.used") else "processes"
if asked == "processes" and not sys.argv[1].startswith("--query-compute-apps=gpu_uuid,pid,used_gpu_memory"):
    sys.exit("Field is not a valid field to query.")
if sys.argv[2] != "--format=csv,noheader,nounits":
    sys.exit("no such format")
file = folder / asked
sys.stdout.write(file.read_text() if file.exists() else "")
sys.exit(int((folder / "code").read_text()) if (folder / "code").exists() else 0)
"""


class NvidiaSmi:
    """It lies in ``folder``; called with rows it answers with them from then on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "nvidia-smi"
        program.write_text(_PROGRAM.format(python=sys.executable))
        program.chmod(0o755)

    def __call__(self, cards=(), processes=(), code=0):
        """Answer with ``cards`` (id, name, memory, used) and ``processes`` (card, id, memory) in MiB."""
        for name, rows in (("cards", cards), ("processes", processes)):
            whole = self.folder / f"{name}.new"
            whole.write_text("".join(", ".join(map(str, row)) + "\n" for row in rows))
            os.replace(whole, self.folder / name)
        (self.folder / "code").write_text(str(code))

    @property
    def calls(self):
        """How often it was called."""
        file = self.folder / "calls"
        return len(file.read_text()) if file.exists() else 0
