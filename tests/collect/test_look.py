"""Where a pattern is tried: never less than on all lines that it fits."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.collect import redact_dumps, redact_layers, redact_patterns, redact_shapes
from doctor.collect.redact_look import Look, Seen


def looks() -> list[Look]:
    """Every look there is."""
    found: list[Look] = [escape.unit for escape in redact_layers._ESCAPES]
    for module in (redact_patterns, redact_shapes, redact_layers, redact_dumps):
        for value in vars(module).values():
            several = value if isinstance(value, list | tuple) else [value]
            found += [one for one in several if isinstance(one, Look)]
    return [one for one in dict.fromkeys(found) if one.needles or one.shapes or one.run]


# These fit more than is ever replaced.
WIDER = (redact_shapes.IPV6, redact_shapes.VOLUMES[-1], redact_layers._SPACED, redact_layers._LINE_OF_CODE)
LOOKS = [one for one in looks() if one not in WIDER]


def plain(item: Look) -> st.SearchStrategy[str]:
    """Texts that ITEM's pattern fits, in characters that hosts use, with others around."""
    ascii_only = st.characters(min_codepoint=9, max_codepoint=126)
    return st.from_regex(re.compile(item.source, re.A), alphabet=ascii_only)


@pytest.mark.parametrize("at", range(len(LOOKS)))
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_what_a_pattern_fits_it_is_tried_on(at: int, data: st.DataObject) -> None:
    item = LOOKS[at]
    text = data.draw(plain(item)) + data.draw(st.sampled_from(["", "\n", "\nother lines " * 300]))
    for match in item.pattern.finditer(text):
        seen = Seen(text)
        assert seen.may(item), (item.source, text)
        begin = text.rfind("\n", 0, match.start()) + 1
        assert any(start <= begin and match.end() <= max(end, begin) for start, end in seen.lines(item)) or (
            "\n" in match.group()
        ), (item.source, text)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(["mac a0:36:9f:12:34:56", "uuid", "Serial: \u0130X9", "\udc80", "pci 1", ""]), max_size=9)
)
def test_strings_of_one_length(lines: list[str]) -> None:
    seen = Seen("\n".join(lines))
    assert len(seen.data) == len(seen.low) == len(seen.shape) == len(seen.runs)
    item = Look("(?i)serial|hh", needles=("serial",), shapes=("hh:hh:hh",))
    wanted = [line for line in lines if "serial" in line.lower() or "a0:" in line]
    found = [seen.data[start:end] for start, end in seen.lines(item)] if seen.may(item) else []
    assert found == wanted or "\n" not in seen.data
    changed = seen.change(item, lambda line: line.upper() + " uuid")
    assert changed.may(Look("uuid", ("uuid",))) == ("uuid" in changed.low)


def test_time_is_linear() -> None:
    def seconds(size: int) -> float:
        seen = Seen("w" * 31 + " \nhh:hh a0:a0:a0:a0:a0 1.2.3. =4 " * size)
        begin = time.process_time()
        for item in LOOKS:
            seen = seen.change(item, lambda line: line)
        return time.process_time() - begin

    assert seconds(4000) < 10 * seconds(1000) + 0.3
