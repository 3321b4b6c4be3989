"""Entry of the CPython guest: `python -X utf8 _sgl_cpython_main.py`, started by the kernel."""

import os
import shutil
import sys

if sys.version_info < (3, 9):
    sys.exit(f"Python 3.9 or newer is needed; this is {sys.version.split()[0]}.")

# This folder stays first, so that `import sglang` finds the notebook's package.
sys.path.insert(1, os.getcwd())

import _sgl_transport_cpython as transport

sys.modules["_sgl_transport"] = transport
transport.install()

import _sgl_guest


def _activate():
    """Programs that cells start find this Python first, as in a terminal where its environment is active."""
    if shutil.which(os.path.basename(sys.executable)) != sys.executable:
        os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", os.defpath)
    if sys.prefix != sys.base_prefix:
        os.environ["VIRTUAL_ENV"] = sys.prefix


_sgl_guest.install()
_activate()
transport.serve(_sgl_guest)
