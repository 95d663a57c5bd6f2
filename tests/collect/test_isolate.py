"""A file that never answers, a reader that dies, and time that runs out hold nothing up."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from doctor.collect import isolate, read
from doctor.collect.item import Item, file
from doctor.collect.model import Entry

ITEMS = [file("etc/a"), file("etc/hung/*"), file("etc/b"), file("etc/c")]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a", "hung/one", "hung/two", "b", "c"):
        (tmp_path / "etc" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "etc" / name).write_text(name)
    monkeypatch.setattr(isolate, "STUCK", 0.3)
    monkeypatch.setattr(isolate, "_TICK", 0.05)
    return tmp_path


def taken(root: Path, items: list[Item] = ITEMS) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    isolate.take_all(str(root), items, entries)
    return entries


def change(monkeypatch: pytest.MonkeyPatch, act: dict[str, object]) -> None:
    """Reading a path of `act` calls what stands there."""
    real = read.READERS["file"]

    def reader(name: str, path: str, item: Item) -> Entry:
        if path in act:
            act[path]()  # type: ignore[operator]
        return real(name, path, item)

    monkeypatch.setitem(read.READERS, "file", reader)


def test_all_is_read(root: Path) -> None:
    told: list[str] = []
    entries: dict[str, Entry] = {}
    isolate.take_all(str(root), ITEMS, entries, told.append)
    assert {path: entry.data for path, entry in entries.items()} == {
        "etc/a": b"a", "etc/b": b"b", "etc/c": b"c", "etc/hung/one": b"hung/one", "etc/hung/two": b"hung/two",
    }  # fmt: skip
    assert told[0] == "etc/a"


def test_a_path_that_hangs_costs_its_folder_only(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(monkeypatch, {"etc/hung/one": lambda: time.sleep(60)})
    begin = time.monotonic()
    entries = taken(root)
    assert time.monotonic() - begin < 20
    assert entries["etc/hung/one"].state == "failed" and "did not answer" in (entries["etc/hung/one"].reason or "")
    assert "etc/hung/two" not in entries
    assert [entries[path].data for path in ("etc/a", "etc/b", "etc/c")] == [b"a", b"b", b"c"]


def test_many_that_hang_end_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [file(f"dir{number}/x") for number in range(9)] + [file("etc/a")]
    change(monkeypatch, {item.path: lambda: time.sleep(60) for item in items[:9]})
    monkeypatch.setattr(isolate, "STUCK", 0.1)
    entries = taken(root, items)
    assert "did not answer" in (entries["dir4/x"].reason or "")
    assert entries["etc/a"].state == "failed" and "too many" in (entries["etc/a"].reason or "")


def test_the_time_for_all_is_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(monkeypatch, {"etc/a": lambda: time.sleep(60)})
    monkeypatch.setattr(isolate, "ALL", 0.1)
    entries = taken(root)
    assert {entry.reason for entry in entries.values()} == {"not read: the time was up"}
    assert set(entries) == {item.path for item in ITEMS}


def test_a_reader_that_dies_is_replaced(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [file("etc/a"), file("etc/hung/one"), file("etc/b")]
    change(monkeypatch, {"etc/hung/one": lambda: os.kill(os.getpid(), 9)})
    entries = taken(root, items)
    assert entries["etc/hung/one"].state == "failed"
    assert (entries["etc/a"].data, entries["etc/b"].data) == (b"a", b"b")


def test_no_child_is_left(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(monkeypatch, {"etc/b": lambda: time.sleep(60)})
    taken(root)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
