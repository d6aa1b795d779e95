"""Imports matplotlib, whatever backend the environment names.

Figures are written to files, and no backend is needed. matplotlib refuses to be imported if `MPLBACKEND`
names a backend that is not there, such as that of a notebook in a process outside the notebook.
"""

import os

_BACKEND = os.environ.pop("MPLBACKEND", None)
try:
    import matplotlib as mpl  # noqa: F401
finally:
    if _BACKEND is not None:
        os.environ["MPLBACKEND"] = _BACKEND
