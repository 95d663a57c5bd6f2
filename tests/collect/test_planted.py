"""Nothing private that is planted survives: every class, in every file of the catalogue, in every encoding."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from planted import ENCODINGS, PLANTS, Plant, base64_forms, bundle, dumped, forms

from doctor.audit.layers import peeled
from doctor.audit.scan import scan
from doctor.collect.model import Collected, Entry
from doctor.collect.redact import Redactor, redact_with
from doctor.collect.redact_shapes import STAND_IN
from doctor.treatment import safe


def survives(plant: Plant, data: bytes) -> bool:
    coded = any(form in data for form in base64_forms(plant) if len(form) > 6)
    return coded or any(form in data.lower() for form in forms(plant.secret))


def told(text: str) -> str:
    """What anybody reads in TEXT who takes encodings off, line by line and across their ends."""
    lines = text.split("\n")
    paragraphs = [part.replace("=\n", "").replace("\n", "") for part in text.split("\n\n")]
    return "\n".join([text, *paragraphs, *(inner for line in (*lines, *paragraphs) for inner in peeled(line))]).lower()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_nothing_planted_survives_in_any_encoding(encoding: str) -> None:
    text = "\n".join(ENCODINGS[encoding](plant.line) for plant in PLANTS) + "\n"
    redactor = Redactor()
    redactor.learn_host("olymp")
    before, new = told(text), redactor.text(text)
    after = told(new)
    assert [plant for plant in PLANTS if survives(plant, new.encode()) or plant.secret in after] == []
    assert all(plant.secret in before for plant in PLANTS) or encoding in ("xxd", "base64 twice")
    assert new.count("\n") == text.count("\n")
    assert Redactor().text(new) == new


def test_nothing_planted_survives_in_any_file() -> None:
    before = bundle()
    after, report = redact_with(before, Redactor())
    leaked = [
        (plant.kind, path)
        for path, entry in after.entries.items()
        for plant in PLANTS
        if survives(plant, path.encode() + entry.data)
    ]
    assert leaked == []
    assert len(report) > 150 and all(sum(counts.values()) for counts in report.values())
    assert {"host", "user", "ip", "mac", "serial", "uuid", "wwn", "ssid", "email", "secret", "vm", "vol", "net"} <= {
        kind for counts in report.values() for kind in counts
    }


def test_the_scanner_finds_what_was_planted_and_nothing_afterwards() -> None:
    text = "\n".join(plant.line for plant in PLANTS)
    kinds = {leak.kind for leak in scan({"proc/cmdline": text.encode()})}
    assert {"host", "user", "ip", "mac", "serial", "uuid", "wwn", "ssid", "email", "key", "secret"} <= kinds
    redactor = Redactor()
    redactor.learn_host("olymp")
    assert scan({"proc/cmdline": redactor.text(text).encode()}) == []


@pytest.mark.parametrize("width", [60, 80])
def test_values_that_a_narrow_terminal_split(width: int) -> None:
    for plant in PLANTS:
        # Two lines of the full width at least: that is how a text tells that it was wrapped.
        for shift in range(1, len(plant.secret), 3):
            line = "a" * (width - plant.line.lower().index(plant.secret) - shift - 1) + " " + plant.line
            if len(line) <= width:
                continue
            text = "b" * width + "\n" + "\n".join(line[at : at + width] for at in range(0, len(line), width))
            redactor = Redactor()
            redactor.learn_host("olymp")
            new = redactor.text(text)
            if plant.line.startswith(("search", " ")) or plant.kind in ("vm name", "host"):
                continue  # told by where they stand in a line
            assert plant.secret not in new.replace("\n", "").lower(), (plant, text, new)
            assert new.count("\n") == text.count("\n")


def test_the_same_value_is_the_same_everywhere() -> None:
    uuid = "1b2c3d4e-1111-4222-8333-444455556666"
    entries = {
        "cmd/dmesg": b"igb: mac a0:36:9f:12:34:56, A0-36-9F-12-34-56\n",
        "sys/class/net/enxa0369f123456/device": b"../../0000:01:00.0",
        "cmd/x": b"Device Serial Number a0-36-9f-ff-ff-12-34-56; wwn-0xa0369fffff123456; nic a0369f123456\n",
        "etc/y": b"by-id/ata-WDC_WD-WCC7K0ABCDEF\nSerial Number: WD-WCC7K0ABCDEF\nsmart wd-wcc7k0abcdef\n",
        "etc/z": " ".join((uuid, uuid.upper(), uuid.replace("-", ""))).encode(),
    }
    collected = Collected({path: Entry(path, data, "file") for path, data in entries.items()}, "", "", True)
    new, _ = redact_with(collected, Redactor())
    texts = [entry.data.decode() for entry in new.entries.values()]
    (card,) = [path.split("/")[3] for path in new.entries if path.startswith("sys/class/net/")]
    mac = card[3:]
    assert texts[0].replace(":", "").replace("-", "").lower().count(mac) == 2 and f"nic {mac}" in texts[2]
    number = texts[2].split("Number ")[1].split(";")[0].replace("-", "")
    assert f"wwn-0x{number}" in texts[2]
    by_id, smart, bare = texts[3].split("\n")[:3]
    assert by_id.rpartition("_")[2] == smart.split(": ")[1] == bare.split(" ")[1]
    small, large, plain = texts[4].split(" ")
    assert small == large.lower() and plain == small.replace("-", "")


def test_a_serial_number_in_a_dump_of_config_space() -> None:
    config = bytearray(4096)
    config[0x100:0x10C] = (0x0003 | 1 << 16).to_bytes(4, "little") + bytes.fromhex("a0369fffff123456")[::-1]
    shown = "\n".join(f"{at:02x}: " + config[at : at + 16].hex(" ") for at in range(0, 4096, 16))
    new = Redactor().text("01:00.0 Ethernet controller [0200]: Intel [8086:1521]\n" + shown)
    assert "56 34 12 ff" not in new and "de ca fa" in new and new.count("\n") == shown.count("\n") + 1
    text = Redactor().text(dumped("password=hunter22secret and more"))
    assert "hunter22" not in text and "REDACTED" in text and Redactor().text(text) == text


def test_stand_ins_are_known_to_whoever_must_not_copy_them() -> None:
    redactor = Redactor()
    redactor.text("\n".join(plant.line for plant in PLANTS))
    made = [(kind, new) for kind, values in redactor.mapping.items() for new in values.values()]
    for kind in ("vm", "note", "snapshot", "tag", "path", "smbios", "map", "net", "ssid"):
        made.append((kind, redactor.name(kind, "zeusx")))
    made += [("vol", redactor.name("vol", "zeusx")), ("label", redactor.name("label", "zeusx"))]
    assert len({kind for kind, _ in made}) > 15
    for kind, new in made:
        assert safe.redacted("root=" + new + " ro"), (kind, new)
        assert STAND_IN.pattern.search(new), (kind, new)


def test_a_private_map_is_nobody_elses(tmp_path: Path) -> None:
    redactor = Redactor()
    redactor.text("mac a0:36:9f:12:34:56")
    redactor.write_map(str(tmp_path / "map"))
    assert (tmp_path / "map").stat().st_mode & 0o777 == 0o600
    assert "a0369f123456" in (tmp_path / "map").read_text()
    with pytest.raises(FileExistsError):
        redactor.write_map(str(tmp_path / "map"))
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        redactor.write_map(str(tmp_path / "link"))


PIECES = st.sampled_from(
    [plant.line for plant in PLANTS]
    + [ENCODINGS[name](plant.line) for name in ("base64", "percent", "hex", "wide") for plant in PLANTS[::5]]
    + [
        "\n",
        "\n",
        "\r\n",
        " ",
        "=",
        "\\",
        ":",
        "-",
        "%41",
        "\0",
        "facade00",
        "host-3fa2c1",
        "SN-",
        "-----BEGIN X KEY-----",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(PIECES, max_size=12).map("".join),
    st.binary(max_size=200).map(lambda b: b.decode("latin-1")),
)
TOGETHER = st.tuples(st.sampled_from(["\n", " ", "; ", "", ""]), st.lists(PIECES, max_size=12)).map(
    lambda one: one[0].join(one[1])
)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_never_raises_and_keeps_lines(text: str) -> None:
    assert Redactor().text(text).count("\n") == text.count("\n")


@settings(max_examples=150, deadline=None)
@given(TOGETHER)
def test_what_is_redacted_stays_as_it_is(text: str) -> None:
    new = Redactor().text(text)
    assert Redactor().text(new) == new


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["etc/x", "a/config", "qemu-server/1.conf", "x/dm/name", "a_uuid", "b/"]),
            st.binary(max_size=300),
        )
    )
)
def test_entries_never_raise_and_are_stable(files: list[tuple[str, bytes]]) -> None:
    entries = {path: Entry(path, data, "file") for path, data in files}
    once, _ = redact_with(Collected(entries, "", "", True), Redactor())
    twice, report = redact_with(once, Redactor())
    assert twice.entries == once.entries and report == {}


@pytest.mark.parametrize(
    "plant", ["%41%42", "QUJDREVGR0hJSktM", "41424344 ", "a\0", "x=\n", "00000000: 4142 4344\n", "ab-", "wd-1234ab\n"]
)
def test_time_is_linear_in_encodings(plant: str) -> None:
    def seconds(size: int) -> float:
        text = plant * (size // len(plant))
        begin = time.process_time()
        Redactor().text(text)
        return time.process_time() - begin

    assert seconds(120000) < 10 * seconds(30000) + 0.3
