"""Where every process of the program begins: settles what may be imported, then launches.

A file that somebody put into the folder the user stands in (``struct.py`` in a cloned model
repository) must never be imported, least of all before the seal. The program's own processes and
its ``lockhouse`` command are started isolated (``python -I``) and by the path of this file; for
all other ways in, the unsafe folders are taken off the import path here, before anything else is
imported than what the interpreter has loaded for itself.
"""

import os
import sys


def _bind_package() -> None:
    """Started by its path, this file belongs to no package: make it the one beside it."""
    from importlib.util import module_from_spec, spec_from_file_location

    folder = os.path.dirname(os.path.abspath(__file__))
    spec = spec_from_file_location(
        "lockhouse", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None
    assert spec.loader is not None
    package = sys.modules["lockhouse"] = module_from_spec(spec)
    spec.loader.exec_module(package)


def _leave_unsafe_folders() -> None:
    """Import from the interpreter's own folders and from this program's, and nowhere else."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if not sys.flags.safe_path and sys.path:
        del sys.path[0]  # the current folder, or the one of the script
    unsafe = {*os.environ.get("PYTHONPATH", "").split(os.pathsep)}
    site = sys.modules.get("site")
    if site is not None and site.ENABLE_USER_SITE:
        unsafe.add(site.getusersitepackages())
    unsafe = {os.path.abspath(folder) for folder in unsafe} - {root}
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) not in unsafe]
    if root not in sys.path:
        sys.path.append(root)  # installed for one user, the packages it needs lie beside it


def main() -> int:
    """Run the part of the program that the arguments name and return its exit code."""
    if not getattr(sys, "frozen", False):
        _leave_unsafe_folders()
    from lockhouse.launcher import main as launch

    return launch()


if __name__ == "__main__":
    if not __package__ and not getattr(sys, "frozen", False):
        _bind_package()
    sys.exit(main())
