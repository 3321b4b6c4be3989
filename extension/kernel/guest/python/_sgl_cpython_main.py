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
import _sgl_imports


def _activate():
    """Programs that cells start find this Python first, as in a terminal where its environment is active."""
    if shutil.which(os.path.basename(sys.executable)) != sys.executable:
        os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", os.defpath)
    if sys.prefix != sys.base_prefix:
        os.environ["VIRTUAL_ENV"] = sys.prefix


def _prefer_fork(multiprocessing):
    """As Python did before 3.14: new processes find the functions of cells only in a copy of this one."""
    default = multiprocessing.context._default_context
    if multiprocessing.get_start_method(allow_none=True) is None:
        default._default_context = multiprocessing.get_context("fork")


_sgl_guest.install()
_activate()
if sys.platform == "linux" and sys.version_info >= (3, 14):
    _sgl_imports.when_imported("multiprocessing", _prefer_fork)
transport.serve(_sgl_guest)
