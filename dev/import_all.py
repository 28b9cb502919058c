"""Imports every module of the installed package: `python -W error dev/import_all.py`, so that nothing warns either."""

import importlib
import pkgutil

import lindorm_import

if __name__ == "__main__":
    for module in pkgutil.walk_packages(lindorm_import.__path__, "lindorm_import."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
