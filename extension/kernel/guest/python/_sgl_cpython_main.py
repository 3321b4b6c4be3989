"""Entry of the CPython guest: `python -X utf8 _sgl_cpython_main.py`, started by the kernel."""

import os
import sys

if sys.version_info < (3, 9):
    sys.exit(f"Python 3.9 or newer is needed; this is {sys.version.split()[0]}.")

# This folder stays first, so that `import sglang` finds the notebook's package.
sys.path.insert(1, os.getcwd())

import _sgl_transport_cpython as transport

sys.modules["_sgl_transport"] = transport
transport.install()

import _sgl_guest

_sgl_guest.install()
transport.serve(_sgl_guest)
