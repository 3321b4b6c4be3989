"""Packages for the bundled Python: `%pip`, and micropip with errors that say what to do.

micropip, Pyodide's installer, comes from the package index when it is first needed, as do the packages
that it installs: those in pure Python, and those that Pyodide's makers build, for as long as the kernel runs.
"""

import argparse
import contextvars
import functools
import hashlib
import html
import importlib.machinery
import json
import os
import re
import shlex
import site
import sys
import urllib.parse

import _sgl_imports
import _sgl_js as _worker
import _sgl_transport
from _sgl_magics import MagicError

_PYPI = "https://pypi.org/simple"
# The version that the code below was written for, and the checksum that PyPI gives for it.
_VERSION = "0.11.1"
_WHEEL = f"micropip-{_VERSION}-py3-none-any.whl"
_WHEEL_SHA256 = "768de165adb8e66906039d8fec4127a57f522dfdf8e6fbff877a4616941ecfd3"
_SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
OWN_PYTHON = (
    'Run the notebook on a Python of your own for it: "SGLang: Select Python…" in VS Code, '
    '"sglnb run --python PATH" in a terminal.'
)
# What happened to the requests of the installation in this context: (URL, reason, is it unreachable).
_failures = contextvars.ContextVar("sgl_package_failures", default=None)
# Packages to be looked for although a version that fits is installed.
_again = contextvars.ContextVar("sgl_packages_again", default=())


class PackageError(Exception):
    """A package that cannot be installed here."""

    __module__ = "builtins"  # tracebacks name it without our module


# ------------------------------------------------------------------ micropip


class _Micropip:
    """Fetches micropip and prepares it when it is first imported."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "micropip":
            return None
        # Not among the mounted folders of this machine.
        wheel = os.path.join(site.getsitepackages()[0], _WHEEL)
        if wheel not in sys.path:
            content = _sgl_transport.run_coro(_micropip_wheel())
            with open(wheel, "wb") as file:
                file.write(content)
            sys.path.append(wheel)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None:
            spec.loader = _sgl_imports.PreparingLoader(spec.loader, _prepare)
        return spec


async def _micropip_wheel():
    index = _without_slash(os.environ.get("PIP_INDEX_URL") or _PYPI)
    try:
        page, content_type = await _fetch(f"{index}/micropip/", f"{_SIMPLE_JSON}, text/html;q=0.5")
        address = _address_of(_WHEEL, page.decode(), content_type, f"{index}/micropip/")
        wheel, _ = await _fetch(address, "*/*")
        if hashlib.sha256(wheel).hexdigest() != _WHEEL_SHA256:
            raise PackageError(f"{address} is not the file that this version needs.")
    except PackageError as error:
        raise ImportError(
            f"Installing packages needs a package index and micropip {_VERSION} from it, which cannot be fetched: "
            f"{error} PIP_INDEX_URL names another index. {OWN_PYTHON}"
        ) from None
    return wheel


def _address_of(file_name, page, content_type, url):
    """Of a file that an index's page (PEP 691 or 503) lists."""
    if content_type.startswith(_SIMPLE_JSON):
        links = [file["url"] for file in json.loads(page)["files"]]
    else:
        links = [html.unescape(link) for link in re.findall(r"""href=["']([^"']+)""", page)]
    for link in links:
        address = urllib.parse.urljoin(url, link).partition("#")[0]
        if address.endswith(f"/{file_name}"):
            return address
    raise PackageError(f"{url} has no {file_name}.")


def install():
    sys.meta_path.insert(0, _Micropip)


def _prepare(micropip):
    manager = micropip._package_manager_singleton
    manager.compat_layer = _downloading(manager.compat_layer)
    indexes = [os.environ.get("PIP_INDEX_URL", ""), *os.environ.get("PIP_EXTRA_INDEX_URL", "").split()]
    if any(indexes):
        micropip.set_index_urls([_without_slash(url) for url in indexes if url] or None)
    micropip.install = _explaining(micropip.install)
    _upgrading(micropip.transaction.Transaction)


def _without_slash(url):
    """micropip puts a slash before the package's name."""
    return url.rstrip("/")


def _downloading(base):
    """micropip's layer for this platform, with the kernel's downloads: they know proxies and say what failed."""

    class Downloads(base):
        @staticmethod
        async def fetch_bytes(url, options):
            if not url.startswith(("http://", "https://")):
                return await base.fetch_bytes(url, options)
            return (await _fetch(url, "*/*"))[0]

        @staticmethod
        async def fetch_string_and_headers(url, options):
            body, content_type = await _fetch(url, options.get("headers", {}).get("accept", "*/*"))
            return _with_whole_addresses(body.decode(), content_type, url), {"content-type": content_type}

        @staticmethod
        async def loadPackage(names):
            names = names.to_py()
            for name in _with_dependencies(names, base.lockfile_packages):
                package = base.lockfile_packages[name]
                problem = await _worker.provide_package(package["file_name"], package["sha256"])
                if problem:
                    raise PackageError(f"{name} is a package of Pyodide's, but {problem}. {OWN_PYTHON}")
            await base.loadPackage(base.to_js(names), messageCallback=lambda _text: None)

    return Downloads


def _with_whole_addresses(page, content_type, url):
    """An index may give its files relative to its page, which micropip takes from HTML only."""
    if not content_type.startswith(_SIMPLE_JSON):
        return page
    project = json.loads(page)
    for file in project["files"]:
        file["url"] = urllib.parse.urljoin(url, file["url"])
    return json.dumps(project)


def _with_dependencies(names, packages):
    found = []
    for name in names:
        if name in packages and name not in found:
            found += [name, *_with_dependencies(packages[name]["depends"], packages)]
    return dict.fromkeys(found)


async def _fetch(url, accept):
    answer = await _worker.fetch_package(url, accept)
    if answer.status == 200:
        return answer.body.to_bytes(), answer.type
    reason = f"status {answer.status}" if answer.status else answer.reason
    failures = _failures.get()
    if failures is not None:
        failures.append((url, reason, answer.status == 0))
    raise PackageError(f"{url} failed: {reason}.")


def _upgrading(transaction):
    """micropip keeps an installed version that fits; to upgrade means to look again."""
    is_satisfied = transaction.check_version_satisfied

    def check_version_satisfied(self, req, *, allow_reinstall=False):
        if _key(req.name) in _again.get() and req.name not in self.locked:
            return False, ""
        return is_satisfied(self, req, allow_reinstall=allow_reinstall)

    transaction.check_version_satisfied = check_version_satisfied


def _explaining(micropip_install):
    @functools.wraps(micropip_install)
    async def install(*arguments, **options):
        failures = []
        token = _failures.set(failures)
        try:
            return await micropip_install(*arguments, **options)
        except ValueError as error:
            raise PackageError(_explained(str(error), failures)) from None
        finally:
            _failures.reset(token)

    return install


def _explained(message, failures):
    missing = re.match(r"Can't fetch metadata for '([^']*)'", message)
    if missing is not None:
        unreachable = [(url, reason) for url, reason, is_unreachable in failures if is_unreachable]
        if unreachable:
            url, reason = unreachable[0]
            return (
                f"{missing[1]} was not installed: the package index at {url} cannot be reached ({reason}). "
                "Installing needs a connection to it; PIP_INDEX_URL, or micropip.set_index_urls, names another."
            )
        places = "; ".join(f"{url}: {reason}" for url, reason, _ in failures)
        return f"There is no package {missing[1]} ({places}). Is its name right?"
    if message.startswith("Can't find a pure Python 3 wheel for"):
        wanted = message.partition(" for")[2].splitlines()[0].strip(" :.'")
        return (
            f"{wanted} cannot be installed in the bundled Python, which runs in WebAssembly: there is no wheel of it "
            f"in pure Python, and none for this platform. {OWN_PYTHON}"
        )
    return message


# ------------------------------------------------------------------ pip


def pip(arguments):
    """`%pip …`: what micropip can do of it."""
    command, *rest = shlex.split(arguments) or ["help"]
    function = _COMMANDS.get(command)
    if function is None:
        raise MagicError(f"The bundled Python knows %pip {', '.join(sorted(_COMMANDS))}; not {command!r}. {OWN_PYTHON}")
    return function(rest)


class _Arguments(argparse.ArgumentParser):
    def error(self, message):
        raise MagicError(f"%pip: {message}. {self.format_usage().strip()}")


def _pip_install(arguments):
    parser = _Arguments(prog="%pip install", add_help=False)
    parser.add_argument("requirements", nargs="*")
    parser.add_argument("-r", "--requirement", action="append", default=[])
    parser.add_argument("-U", "--upgrade", action="store_true")
    parser.add_argument("--force-reinstall", action="store_true")
    parser.add_argument("--pre", action="store_true")
    parser.add_argument("--no-deps", action="store_true")
    parser.add_argument("-i", "--index-url")
    parser.add_argument("--extra-index-url", action="append", default=[])
    parser.add_argument("-q", "--quiet", action="count", default=0)
    for ignored in ("--user", "--no-cache-dir", "--disable-pip-version-check", "--break-system-packages"):
        parser.add_argument(ignored, action="store_true")
    options = parser.parse_args(arguments)
    wanted = [*map(_requirement, options.requirements)]
    for file in options.requirement:
        wanted += _requirements_of(file)
    if not wanted:
        raise MagicError("%pip install needs the name of a package.")
    _sgl_transport.run_coro(_install(wanted, options))


async def _install(wanted, options):
    import micropip

    indexes = [_without_slash(url) for url in [options.index_url, *options.extra_index_url] if url]
    if indexes and options.index_url is None:
        indexes = [*micropip._package_manager_singleton.index_urls, *indexes]
    before = _versions(micropip)
    again = options.upgrade or options.force_reinstall
    if again:
        _again.set({_key(re.split(r"[\s\[<>=!~;@(]", each, maxsplit=1)[0]) for each in wanted})
    await micropip.install(
        wanted, deps=not options.no_deps, pre=options.pre, index_urls=indexes or None, reinstall=again
    )
    if options.quiet:
        return
    after = _versions(micropip)
    new = [f"{name}-{version}" for name, version in after.items() if before.get(name) != version]
    if new:
        print(f"Installed {', '.join(new)}, until the kernel restarts.")
    else:
        print(f"Already installed: {', '.join(wanted)}.")


def _key(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def _versions(micropip):
    return {name: package.version for name, package in micropip.list().items()}


def _requirement(text):
    """A wheel among the notebook's files is an address for micropip; other files it cannot install."""
    if text.endswith(".whl") and "://" not in text:
        return "emfs:" + os.path.abspath(text)
    if text.startswith(("git+", ".", "/")) or text.endswith((".tar.gz", ".zip")):
        raise MagicError(f"{text} is no package of an index and no wheel, which is all that can be installed here. {OWN_PYTHON}")
    return text


def _requirements_of(path):
    with open(path, encoding="utf-8") as file:
        lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in file]
    unknown = next((line for line in lines if line.startswith("-")), None)
    if unknown is not None:
        raise MagicError(f"{path}: {unknown!r} is an option of pip's that is not known here.")
    return [_requirement(line) for line in lines if line]


def _pip_uninstall(arguments):
    import micropip

    names = [name for name in arguments if not name.startswith("-")]
    before = _versions(micropip)
    micropip.uninstall(names)
    gone = [f"{name}-{version}" for name, version in before.items() if name not in _versions(micropip)]
    print(f"Removed {', '.join(gone)}." if gone else "Nothing of that name is installed.")


def _pip_list(_arguments):
    import micropip

    print("\n".join(f"{name} {version}" for name, version in sorted(_versions(micropip).items())) or "Nothing is installed.")


def _pip_freeze(_arguments):
    import micropip

    print("\n".join(f"{name}=={version}" for name, version in sorted(_versions(micropip).items())))


def _pip_show(arguments):
    import importlib.metadata

    for name in arguments:
        try:
            metadata = importlib.metadata.metadata(name)
        except importlib.metadata.PackageNotFoundError:
            print(f"Package not found: {name}", file=sys.stderr)
        else:
            print("\n".join(f"{field}: {metadata.get(field, '')}" for field in ("Name", "Version", "Summary")))


def _pip_help(_arguments):
    print(f"%pip {', '.join(sorted(_COMMANDS))}: packages in pure Python, and Pyodide's own. {OWN_PYTHON}")


_COMMANDS = {
    "install": _pip_install,
    "uninstall": _pip_uninstall,
    "list": _pip_list,
    "freeze": _pip_freeze,
    "show": _pip_show,
    "help": _pip_help,
}
