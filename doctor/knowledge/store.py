"""Loads the compiled knowledge: from the wheel, else from the user's cache, else by compiling once.

The cache holds JSON only, is keyed by the content of the rule files, is written atomically, and is
ignored unless the effective user owns it and nobody else may write it.
"""

from __future__ import annotations

import json
import os

from doctor.later import opened
from doctor.later import sealed as seal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from typing import Any

# Plain strings and os.path: importing pathlib costs a tenth of a whole check.
PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
SHIPPED = PACKAGE + "/data/rules.json"
LOCALE = "locale"  # the folder of the catalogues, which English does not depend on
# The programs by whose versions rules tell cases apart, and how they are called.
PROGRAMS = {"kernel": "Linux", "proxmox": "Proxmox VE", "qemu": "QEMU"}
COMPILER = ("compile.py", "lower.py", "profiles.py", "store.py")  # of this folder: what makes the compiled knowledge
CHECKOUT = os.path.dirname(PACKAGE) + "/rules"  # noqa: PTH120


def rules_folder() -> Path:
    """The folder of the rules' sources: the checkout's, else the copy inside the wheel."""
    from pathlib import Path

    return Path(CHECKOUT if _in_checkout() else PACKAGE + "/data/rules")


def _in_checkout() -> bool:
    return os.path.isdir(CHECKOUT + "/messages")  # noqa: PTH112


def languages() -> list[str]:
    """The languages that there are beside English, as their catalogues are called: zh_CN."""
    if _in_checkout():
        return _named(CHECKOUT + "/" + LOCALE, "", ".po")
    return _named(os.path.dirname(SHIPPED), "rules.", ".json")  # noqa: PTH120


def _named(folder: str, start: str, end: str) -> list[str]:
    """What stands between `start` and `end` in the names of a folder's files."""
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []
    found = (name[len(start) : -len(end)] for name in names if name.startswith(start) and name.endswith(end))
    return sorted(filter(None, found))


_TRADITIONAL = frozenset(("hant", "tw", "hk", "mo"))


def choose_language(asked: str | None, environment: Mapping[str, str]) -> str:
    """The language that is asked for by its code, else by `environment`; "" is English, as is what is not there.

    Raises `doctor.knowledge.document.KnowledgeError` for one that is asked for by its code and not there.
    """
    names = (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    code = (asked or next(filter(None, names), "")).partition(".")[0].partition("@")[0].replace("-", "_").lower()
    if code == "en" or code.startswith("en_") or (asked is None and code in ("", "c", "posix")):
        return ""
    known = {name.lower(): name for name in languages()}
    found = known.get(code) or known.get(code.partition("_")[0])
    if found is None and code.split("_")[0] == "zh" and not _TRADITIONAL.intersection(code.split("_")):
        found = known.get("zh_cn")  # zh, zh-Hans, zh-Hans-CN, zh-SG: the same script, another region or none
    if found is None and asked is not None:
        from doctor.knowledge.document import KnowledgeError

        raise KnowledgeError(f"no such language: {asked}; there are {', '.join(['en', *known.values()])}")
    return found or ""


def load(extra: str | None = None, language: str = "", sealed: bool = False) -> dict[str, Any]:
    """The compiled knowledge; `extra` names a file or folder with rules of the user's own, which add to it.

    `language` is one of `languages`, or "" for English; rules of the user's own stay as they are written. `sealed`:
    what `packed` seals may stay so, for who asks `doctor.later.opened` for it.

    A rule of `extra` replaces one with the same id, as does a profile of its folder `profiles`. Raises
    `doctor.knowledge.compile.KnowledgeError`.
    """
    known = _base(language) if sealed else unsealed(_base(language))
    if extra is None:
        return known
    from pathlib import Path

    from doctor.knowledge.compile import KnowledgeError, compile_rules, digest
    from doctor.knowledge.profiles import compile_profiles

    path = Path(extra)
    if not path.exists():
        raise KnowledgeError(f"{extra}: no such file or folder of rules")
    own = {rule["id"]: rule for rule in compile_rules(path)}
    rules = [own.pop(rule["id"], rule) for rule in known["rules"]] + list(own.values())
    judged = {"hash": f"{known['hash']}+{digest(path)}", "rules": rules}
    return {**known, **judged, "profiles": {**known["profiles"], **compile_profiles(path / "profiles")}}


_FEW = ("remedy", "problem", "after_when")  # of a rule, needed where it fails


def packed(known: dict[str, Any]) -> str:
    """The knowledge as a file holds it: JSON, in which what few checks need is sealed."""
    return json.dumps(_each(known, seal), ensure_ascii=False, separators=(",", ":"))


def unsealed(known: dict[str, Any]) -> dict[str, Any]:
    """The knowledge with nothing sealed."""
    return _each(known, opened)


def _each(known: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    rules = [{key: change(part) if key in _FEW else part for key, part in rule.items()} for rule in known["rules"]]
    messages = [
        {**message, "wordings": [[words, change(parts)] for words, parts in message["wordings"]]}
        for message in known["messages"]
    ]
    return {**known, "rules": rules, "messages": messages}


def _base(language: str) -> dict[str, Any]:
    """What ships with the program; in a checkout, what `make` compiled unless a source is newer."""
    if not _in_checkout() or (not language and _fresh()):
        with open(f"{SHIPPED[:-5]}.{language}.json" if language else SHIPPED, "rb") as file:
            return _parse(file.read())
    folder = rules_folder()
    cache = _cache_file(_fingerprint(folder, language))
    known = _cached(cache)
    if known is None:
        from doctor.knowledge.compile import compile_folder

        known = compile_folder(folder, language)
        _remember(cache, known)
    return known


def _fresh() -> bool:
    """Whether the compiled file is there and newer than every source in the checkout."""
    try:
        compiled = os.stat(SHIPPED).st_mtime_ns  # noqa: PTH116
    except OSError:
        return False
    # The time of a change counts too: a file may be replaced by one with an older date.
    return all(max(status.st_mtime_ns, status.st_ctime_ns) < compiled for status in _statuses(CHECKOUT)) and all(
        os.stat(f"{PACKAGE}/knowledge/{name}").st_mtime_ns < compiled  # noqa: PTH116
        for name in COMPILER
    )


def _statuses(folder: str) -> Iterator[os.stat_result]:
    """Every rule file and folder: a file that was taken away makes its folder newer."""
    yield os.stat(folder)  # noqa: PTH116
    for entry in os.scandir(folder):
        if entry.name == LOCALE:
            continue
        if entry.is_dir():
            yield from _statuses(entry.path)
        elif entry.name.endswith(".yaml"):
            yield entry.stat()


def _parse(data: bytes) -> dict[str, Any]:
    value = json.loads(data)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _fingerprint(folder: Path, language: str = "") -> str:
    """A hash of the names and contents of all rule files, of a language's catalogue, and of the compiler itself."""
    from hashlib import sha256
    from pathlib import Path

    digest = sha256()
    sources = [Path(root) / name for root, _, names in os.walk(folder) for name in names if name.endswith(".yaml")]
    here = Path(__file__).parent
    catalogue = [folder / LOCALE / f"{language}.po", here / "translate.py"] if language else []
    for path in [*sorted(sources), *(here / name for name in COMPILER), *catalogue]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:24]


def _cache_file(key: str) -> Path | None:
    """Where the cache of `key` belongs; None where the user has no home."""
    from pathlib import Path

    base = os.environ.get("XDG_CACHE_HOME") or ""
    if not base.startswith("/"):
        home = os.environ.get("HOME") or ""
        if not home.startswith("/"):
            return None
        base = home + "/.cache"
    return Path(base) / "passdoctor" / f"rules-{key}.json"


def _cached(path: Path | None) -> dict[str, Any] | None:
    """The cache's content if it is there, ours, and writable by nobody else."""
    if path is None:
        return None
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return None
        try:
            return _parse(file.read())
        except ValueError:
            return None


def _remember(path: Path | None, known: dict[str, Any]) -> None:
    """Writes the cache atomically; a cache that cannot be written is no error."""
    if path is None:
        return
    from pathlib import Path
    from tempfile import mkstemp

    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(packed(known))
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError:
        return
