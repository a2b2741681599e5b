"""Processes that tests start find the program where the tests found it, and nobody's models.

The models of whoever runs the tests, in other programs' folders, are none of a test's business:
the home folder is an empty one. Only caches (fonts, packages) stay where they are.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings

# No time limit for an example: a busy machine is no mistake. "long" is for hours of looking:
# pytest --hypothesis-profile long tests/gate/test_dialects_hostile.py
settings.register_profile("suite", max_examples=80, deadline=None, database=None)
settings.register_profile("long", max_examples=5000, deadline=None, database=None)
settings.load_profile("suite")

os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1] / "app")

_HOME = Path(tempfile.mkdtemp(prefix="lockhouse-tests-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))
os.environ["HOME"] = str(_HOME)
for _variable in ("XDG_CURRENT_DESKTOP", "XDG_DATA_HOME"):  # and nobody's trash
    os.environ.pop(_variable, None)
for _variable in ("HF_HUB_CACHE", "LLAMA_CACHE", "OLLAMA_MODELS"):
    os.environ[_variable] = str(_HOME / "none")
