"""Entry of the WebAssembly guest, imported by its worker."""

import json
import os
import random
import sys

import _sgl_js
import _sgl_transport_pyodide as transport

sys.modules["_sgl_transport"] = transport

import _sgl_guest
import _sgl_packages

query_json = _sgl_guest.query_json
run_body = transport.run_body


debug_control = _sgl_guest.debug_control


def execute_json(file_name, cell_id, label, code, debug):
    _sgl_js.cell_begins()
    return _sgl_guest.execute_json(file_name, cell_id, label, code, debug)


def boot(cwd, environment):
    """`environment` is JSON: the kernel's own variables."""
    sys.dont_write_bytecode = True
    # What shell lines and launches take for the cells' own Python; there is no file of it.
    sys.executable = "python3"
    os.environ.update(json.loads(environment))
    os.chdir(cwd)
    sys.path.insert(1, cwd)  # after this package's folder, before the standard library
    # At the very end: a package that the user installs under the same name wins.
    sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "_extras"))
    random.seed()  # the memory snapshot holds a seed
    _sgl_packages.install()
    transport.install()
    _sgl_guest.install()
