"""Replaces what is private in texts: names, addresses, identities, secrets, in clear and in usual encodings.

What stands for a value is made in `redact_values`; names are learned in `redact_names`; what values look like is told
in `redact_patterns` (names) and `redact_shapes` (the rest); encoded ones are found by `redact_layers`, those that a
line's end splits by `redact_wrapped`. `redact_files` says what each file of a collection needs besides.
"""

import re
from typing import Callable, Dict, Iterable, List, Match, Set, Tuple

from . import redact_dumps, redact_layers, redact_wrapped
from . import redact_patterns as names
from . import redact_shapes as look
from .model import Collected
from .redact_look import Look, Seen
from .redact_names import BETWEEN, Names, each, is_public_builder, is_public_value, serial_field, stands_alone
from .redact_values import groups, looks_random

__all__ = ["Redactor", "redact", "redact_with"]

_DEEPEST = 3  # encodings in one another
_COLOURS = re.compile("\x1b\\[[0-9;?]{0,20}[@-~]")
_TURNS = 4
Replace = Callable[[Match[str], str, str], str]


class Redactor(Names):
    """Replaces private values in texts; `counts` says how many of each class were replaced so far.

    Names and identities are learned where one must stand (prompts, log prefixes, `uname`) and then replaced
    wherever they stand: call `learn` with all texts first, so that the name is known in the text that comes
    before them. An ordinary word is never learned: of a host called `pve` only the name goes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._clean: Set[str] = set()
        self._clean_at = 0
        self._depth = 0

    def look_over(self, texts: Iterable[str]) -> None:
        """Find out in which of TEXTS nothing is private, as long as no new name is learned.

        They are looked through as one text, which is much quicker; only those of one line are, for no value goes
        across the line between them.
        """
        several = [one for one in dict.fromkeys(texts) if stands_alone(one)]
        counts, self.counts, self._clean = self.counts, {}, set()
        lines = self.text(BETWEEN.join(one.rstrip("\n") for one in several)).split("\n")
        self.counts = counts
        if len(lines) == 2 * len(several) - 1:
            self._clean = {one for at, one in enumerate(several) if one.rstrip("\n") == lines[2 * at]}
            self._clean_at = self.learned()

    def text(self, data: str) -> str:
        """Return DATA with private values replaced; the number of lines stays the same."""
        if data in self._clean and self._clean_at == self.learned() and not self._depth:
            return data
        if "\x1b" in data:
            data = _COLOURS.sub("", data)  # they hide where a word begins
        seen = Seen(data, self._heard.get(hash(data)))
        if not seen.lacks:
            self._hear(seen)
        known = self.learned()
        self._depth += 1
        try:
            new, again = self._text(seen)
            for _ in range(_TURNS if self._depth == 1 else 0):
                # A name that stood only in what was encoded; what another thing stands beside now.
                if not again and self.learned() == known:
                    break
                known = self.learned()
                new, again = self._text(new)
            return new.data
        finally:
            self._depth -= 1

    def _text(self, seen: Seen) -> Tuple[Seen, bool]:
        """The text SEEN redacted once, and whether something encoded was changed in it."""
        if self._depth > _DEEPEST:
            return self._plain(redact_wrapped.redact(seen, self)), False
        dumped = redact_dumps.redact(seen, self)  # first: what is replaced beside a dump would hide it
        if "=\n" in dumped.data:
            dumped = dumped.again(redact_layers.soft_breaks(dumped.data, self))
        plain = self._plain(redact_wrapped.redact(dumped, self))
        new = redact_layers.redact(plain, self)
        glued = plain is not dumped and look.GLUED.pattern.search(plain.data) is not None
        return new, glued or new is not plain or dumped is not seen

    def plain(self, data: str) -> str:
        """Return DATA with the private values replaced that stand in it in clear, on one line."""
        return self._plain(Seen(data)).data

    def _plain(self, seen: Seen) -> Seen:
        if "-----begin " in seen.low:
            seen = seen.again(self._pem(seen.data))
        seen = each(seen, look.SECRETS, self._secrets)
        seen = seen.change(look.RANDOM, lambda line: look.RANDOM.pattern.sub(self._random, line))
        seen = self._identities(seen)
        seen = each(seen, names.NAMES, self._positions)
        if "@" in seen.data:
            seen = seen.change(names.AT_HOST, lambda line: names.AT_HOST.pattern.sub(self._at_host, line))
        seen = each(seen, look.VOLUMES, self._positions)
        seen = seen.change(look.EMAIL, lambda line: look.EMAIL.pattern.sub(self._email, line))
        seen = seen.change(look.IPV4, lambda line: look.IPV4.pattern.sub(self._ipv4, line))
        seen = seen.change(look.IPV6, lambda line: look.IPV6.pattern.sub(self._ipv6, line))
        return self.everywhere(seen)

    def _random(self, match: Match[str]) -> str:
        run = match.group()
        kept = not looks_random(run) or look.has_stand_in(run) or redact_layers.is_text(run)
        return run if kept else self.secret(run)

    def _secrets(self, item: Look, line: str) -> str:
        prints = "X.509" in line

        def one(match: Match[str], kind: str, value: str) -> str:
            return value if is_public_value(item, prints, value) else self.secret(value)

        return groups(item, line, one)

    def _identities(self, seen: Seen) -> Seen:
        seen = seen.change(look.UUID, lambda line: look.UUID.pattern.sub(self._uuid, line))
        seen = seen.change(look.MACHINE_ID, lambda line: look.MACHINE_ID.pattern.sub(self._uuid, line))
        lvm = lambda match: self.lvm_uuid(match.group())  # noqa: E731
        seen = seen.change(look.LVM_UUID, lambda line: look.LVM_UUID.pattern.sub(lvm, line))
        seen = seen.change(look.SHORT_UUID, self._short_uuids)
        seen = seen.change(
            look.BY_ID, lambda line: groups(look.BY_ID, line, lambda match, kind, value: self._by_id(value))
        )
        wwn: Replace = lambda match, kind, value: self.hexes("wwn", value)  # noqa: E731
        seen = seen.change(look.WWN, lambda line: groups(look.WWN, line, wwn))
        seen = seen.change(look.IQN, lambda line: groups(look.IQN, line, lambda match, kind, value: self.iqn(value)))
        seen = each(seen, look.SERIALS, self._serials)
        seen = seen.change(look.HWADDR, lambda line: look.HWADDR.pattern.sub(self._hwaddr, line))
        mac: Replace = lambda match, kind, value: value if kind == "head" else self.hexes("mac", value)  # noqa: E731
        return seen.change(look.INTERFACE, lambda line: groups(look.INTERFACE, line, mac))

    def _uuid(self, match: Match[str]) -> str:
        return self.uuid(match.group())

    def _short_uuids(self, line: str) -> str:
        if "uuid" not in line.lower() and not look.SHORT_UUID_ALONE.pattern.fullmatch(line):
            return line
        return look.SHORT_UUID.pattern.sub(lambda match: self.short_uuid(match.group()), line)

    def _serials(self, item: Look, line: str) -> str:
        return groups(item, line, lambda match, kind, value: self.serial_value(match, value))

    def _pem(self, data: str) -> str:
        inside, lines = False, []
        for line in data.splitlines(True):
            if inside and look.PEM_END.pattern.search(line):
                inside = False
            elif inside:
                bare = line.rstrip("\r\n")
                if bare.strip() not in ("", "REDACTED"):
                    self.counts["secret"] = self.counts.get("secret", 0) + 1
                    line = "REDACTED" + line[len(bare) :]
            elif look.PEM_BEGIN.pattern.search(line):
                inside = not look.PEM_END.pattern.search(line)
            lines.append(line)
        return "".join(lines)

    def _by_id(self, value: str) -> str:
        name, part, number = value.partition("-part")
        fields = name.split("_")
        at = serial_field(fields)
        if fields[at].lower().startswith(("eui.", "naa.", "wwn-")) or look.is_stand_in(fields[at]):
            return value
        fields[at] = self.serial(fields[at])
        return "_".join(fields) + part + number

    def _hwaddr(self, match: Match[str]) -> str:
        sep = match.group("sep")
        pairs = match.group().split(sep)
        lowered = match.group().lower().split(sep)
        if len(set(pairs)) == 1 or lowered[:3] in (["02", "fa", "ce"], ["fa", "ca", "de"]):
            return match.group()  # a broadcast, an unset address, or a stand-in
        if len(pairs) == 7 and (sep == ":" or lowered[1:4] == ["02", "fa", "ce"]):
            return match.group()  # an ATA command
        head: List[str] = []
        if len(pairs) == 7 and sep == "-":
            head, pairs = pairs[:1], pairs[1:]  # BOOTIF=01-…
        new = self.hexes("mac" if len(pairs) == 6 else "wwn", "".join(pairs))
        return sep.join(head + [new[at : at + 2] for at in range(0, len(new), 2)])

    def _positions(self, item: Look, line: str) -> str:
        return groups(item, line, self._position)

    def _position(self, match: Match[str], kind: str, value: str) -> str:
        return value if is_public_builder(match) else self.name(kind, value)

    def _at_host(self, match: Match[str]) -> str:
        host = match.group("host").partition(".")[0].lower()
        known = host in self._hosts and match.group("user") not in names.BUILDERS
        if not known:
            return match.group()
        return self.name("user", match.group("user")) + "@" + self.name("host", match.group("host"))

    def _email(self, match: Match[str]) -> str:
        value = match.group().lower()
        box, _, domain = value.partition("@")
        public = value.endswith(look.PUBLIC_MAIL) or value in look.PUBLIC_MAILBOXES or box in names.BUILDERS
        ours = domain.rpartition(".")[2] in look.UNITS or domain.endswith("example") or look.TOKEN.pattern.match(box)
        if public or ours or domain.startswith("host-"):
            return match.group()
        return self.mail(match.group())

    def _ipv4(self, match: Match[str]) -> str:
        value = match.group()
        parts = value.split(".")
        if any(int(part) > 255 or (len(part) > 1 and part[0] == "0") for part in parts):
            return value
        first, second = int(parts[0]), int(parts[1])
        if first in (0, 127, 255) or (first == 198 and second in (18, 19)):
            return value
        before = match.string[max(match.start() - 24, 0) : match.start()]
        if look.A_VERSION.pattern.search(before) or look.USB_PORT.pattern.search(before):
            return value
        return self.ipv4(value)

    def _ipv6(self, match: Match[str]) -> str:
        value = match.group().lower()
        groups_ = [group for group in value.split(":") if group]
        packed = value.count("::")
        if packed > 1 or ":::" in value or (not packed and (len(groups_) != 8 or value[0] == ":" or value[-1] == ":")):
            return match.group()
        # Eight pairs are a world wide name; one group is `::1` or a prefix such as `fe80::`.
        if len(groups_) < 2 or value.startswith("2001:db8:") or (len(groups_) == 8 and len(value) == 23):
            return match.group()
        return self.ipv6(value)


def redact(collected: Collected) -> Tuple[Collected, Dict[str, int]]:
    """Return COLLECTED with private values replaced, and how many of each class were."""
    redactor = Redactor()
    return redact_with(collected, redactor)[0], dict(sorted(redactor.counts.items()))


def redact_with(collected: Collected, redactor: Redactor) -> Tuple[Collected, Dict[str, Dict[str, int]]]:
    """Return COLLECTED with private values replaced by REDACTOR, and for each path how many of each class were."""
    from . import redact_files

    entries, report = redact_files.redact_entries(collected.entries, redactor)
    note = redactor.text(collected.note)
    return collected._replace(entries=entries, redaction="forum", note=note), report
