"""An interpreter like the one of the tests, with modules of a test among its packages.

The program imports nothing from the current folder, ``PYTHONPATH`` or a user's own packages, so
code that stands in for what took a process over, or for a package that somebody installed, has to
lie where packages are. ``sitecustomize`` runs at every start.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path


def planted_python(folder: Path, **modules: str) -> str:
    """Make the interpreter in ``folder``; ``modules`` are their texts by name. Gives its path."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / name / "site-packages"
    packages.mkdir(parents=True)
    (folder / "bin").mkdir()
    python = folder / "bin" / "python"
    python.symlink_to(Path(sys.executable).resolve())
    home = Path(sys.executable).resolve().parent
    (folder / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for module, text in modules.items():
        (packages / f"{module}.py").write_text(text)
    return str(python)
