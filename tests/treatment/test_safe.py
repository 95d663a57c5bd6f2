"""Nothing but what was meant to may pass."""

from __future__ import annotations

import pytest

from doctor.treatment import safe

GOOD = {
    "address": ["0000:01:00.0", "10000:e1:00.7"],
    "ids": ["10de:2203"],
    "id_entry": ["10de:2203", "10de:2203:ffffffff:ffffffff:30000:ffff00"],
    "module": ["vfio_pci", "snd-hda-intel", "8021q"],
    "option": ["ids", "allow_unsafe_interrupts"],
    "value": ["1", "ids=10de:2203,10de:1aef", "0000:01:00,pcie=1"],
    "parameter": ["intel_iommu=on", "root=ZFS=rpool/ROOT/pve-1", "ivrs_ioapic[32]=00:14.0", "quiet"],
    "path": ["etc/default/grub", "etc/default/grub.d/50-x.cfg", "boot/loader/entries/6a7b+3.conf"],
    "vm": ["101"],
    "vm_key": ["hostpci0"],
    "uuid": ["1578-E2C7"],
    "setting": ["vt_d"],
}
HOSTILE = [
    "",
    " ",
    "\n",
    "\t",
    "\0",
    "a\n",
    "\na",
    "a b",
    "a;b",
    "a&b",
    "a|b",
    "a>b",
    "a<b",
    "a`b`",
    "a$b",
    "$(reboot)",
    "${IFS}",
    "a\\b",
    "'a'",
    '"a"',
    "a'b",
    'a"b',
    "a(b)",
    "a*",
    "a?",
    "a!b",
    "~a",
    "a#b",
    "a{b}",
    "a\rb",
    "a\x1b[2Jb",
    "\u0430ddress",
    "vfi\u043e",
    "intel\u200b_iommu",
    "on\u202e",
    "\uff11\uff10de:2203",
    "１０de:2203",
    "a\u2028b",
    "a\u0085b",
    "0000:01:00.0\n",
    "0000:01:00.0;id",
    "0000:01:00.8",
    "0000:01:00",
    "10de:2203,10de:1aef;id",
    "10de:220g",
    "é",
]


@pytest.mark.parametrize("kind", GOOD)
def test_each_kind_takes_what_it_is_for(kind: str) -> None:
    assert all(safe.fits(kind, value) for value in GOOD[kind])


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("value", HOSTILE)
def test_no_kind_takes_shell_syntax(kind: str, value: str) -> None:
    if (kind, value) in (("value", ""), ("value", "0000:01:00.8"), ("value", "0000:01:00")):
        return  # harmless words, though no address
    if kind in ("parameter", "value") and value in ("0000:01:00.8", "0000:01:00", "10de:220g"):
        return
    assert not safe.fits(kind, value)


@pytest.mark.parametrize("value", [None, 1, b"10de:2203", ["10de:2203"], {"a": 1}])
def test_only_text_fits(value: object) -> None:
    assert not any(safe.fits(kind, value) for kind in GOOD)


def test_paths_do_not_climb() -> None:
    for path in ("../etc/passwd", "etc/../../x", "etc//x", "-rf", "etc/-rf", "etc/x/"):
        assert not safe.fits("path", path)


def test_too_long_does_not_fit() -> None:
    assert not safe.fits("parameter", "a" * 600)
    assert not safe.fits("module", "a" * 100)


def test_quote_and_fill_do_not_interpret() -> None:
    assert safe.quote("") == "''"
    assert safe.quote("$(id)") == "'$(id)'"
    assert safe.fill("{a}{b}", {"a": "{b}", "b": "$a"}) == "{b}$a"
    with pytest.raises(safe.UnsafeTemplateError):
        safe.fill("{missing}", {})


@pytest.mark.parametrize("value", ["a\nb", "a\x1b[31m", "a\u202eb", "a\u200bb", "a\x9bb", "a\x00b"])
def test_words_are_visible_and_one_line(value: str) -> None:
    assert safe.displayable(safe.words(value))
    assert "\n" not in safe.words(value)
