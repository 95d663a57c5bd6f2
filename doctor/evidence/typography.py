"""What publishing does to a machine's text: full-width letters, curly quotes, dashes, entities, tags of markup.

>>> plain("cat　／etc／default／grub"), plain("GRUB_CMDLINE_LINUX＝“quiet，iommu＝pt”")
('cat /etc/default/grub', 'GRUB_CMDLINE_LINUX="quiet,iommu=pt"')
>>> plain("&lt;hostdev mode='subsystem'&gt;"), untagged("[b]dmesg[/b]")
("<hostdev mode='subsystem'>", 'dmesg')
"""

from __future__ import annotations

import re
from functools import cache

from doctor.later import later

_PAIRS = (
    '“" ”" „" ‟" ″" «" »" ‘\' ’\' ‚\' ‛\' ′\' ‐- ‑- ‒- –- −- ﹣- —-- ―-- …... 。. 、, 《< 》> 【[ 】] ｢" ｣" ・.'
    " ﹒. ∕/ ⁄/ ∶:"
)
_TABLE = {
    0x3000: " ",
    **{0xFF01 + at: chr(0x21 + at) for at in range(94)},
    **{ord(pair[0]): pair[1:] for pair in _PAIRS.split()},
}
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#34;", '"'), ("&#39;", "'"), ("&#x27;", "'"),
             ("&#039;", "'"), ("&apos;", "'"), ("&nbsp;", " "), ("&#124;", "|"), ("&#91;", "["), ("&#93;", "]"),
             ("&amp;", "&"))  # fmt: skip
_TAG = later(
    r"\[/?(?:b|i|u|s|size|font|color|colour|url|list|indent|center|left|icode|tt|mono|noparse|highlight)"
    r"(?:=[^\]\n]{0,80})?\]",
    re.IGNORECASE,
)
_HTML = later(
    r"</?(?:p|br|b|i|em|strong|span|div|li|ul|ol|tt|font|blockquote)(?:\s[^<>\n]{0,120})?\s?/?>", re.IGNORECASE
)
_LOST = (
    r"^(.{0,60}?(?:DMAR|DMAR-IR|AMD-Vi|x2apic|iommu|PCI-DMA|vfio-pci [0-9a-f:.]{7,16}):)"
    r"(?=(?:Intel\(R\)|IOMMU|Host|DRHD|RMRR|ATSR|No|Hardware|Enabled|Enabling|Queued|Found|Interrupt|Using|Lazy|Adding"
    r"|Default|BAR|Setting|Relaxing|dmar\d|IRQ)\s)"
)
_SUBSYSTEMS = ("DMAR:", "DMAR-IR:", "AMD-Vi:", "x2apic:", "iommu:", "PCI-DMA:", "vfio-pci ")
_NEAR = 90  # characters before which the subsystem's name stands
_LONG_DASH = later(r"—(?=[A-Za-z](?:\W|$))")
_CHANGED = frozenset(map(chr, _TABLE)) | {"&"}


@cache
def _lost() -> re.Pattern[str]:
    return re.compile(_LOST)


def damaged(text: str) -> bool:
    """Whether `plain` may change a line."""
    return (not text.isascii() or "&" in text) and not _CHANGED.isdisjoint(text)


def plain(text: str) -> str:
    """The line as it was before it was published."""
    if "&" in text:
        for entity, character in _ENTITIES:
            text = text.replace(entity, character)
    if "—" in text:
        text = _LONG_DASH.sub("-", text)
    return text if text.isascii() else text.translate(_TABLE)


def spaced(text: str) -> str:
    """A log's line with the blank after the subsystem's name, if it was lost.

    >>> spaced("[ 0.1]DMAR:IOMMU enabled"), spaced("DMAR:[fault reason 06]")
    ('[ 0.1]DMAR: IOMMU enabled', 'DMAR:[fault reason 06]')
    """
    for name in _SUBSYSTEMS:
        at = text.find(name, 0, _NEAR)
        if at >= 0 and (name[-1] == " " or text[at + len(name) : at + len(name) + 1].isalpha()):
            return _lost().sub(r"\1 ", text, count=1)
    return text


def untagged(text: str) -> str:
    """The line without tags that only change how it looks, if any of them is closed or all of it is in backticks."""
    first = text[:_NEAR].lstrip()[:2]
    if "]" in text and ("[/" in text or (first[:1] == "[" and first[1:].isalpha())):
        bare = _TAG.sub("", text)
        text = bare if bare.strip() or not text.strip() else text
    if "<" in text and ">" in text:
        text = _HTML.sub("", text)
    inner = text.strip()
    if len(inner) > 2 and inner[0] == inner[-1] == "`" and inner[1] != "`" and "`" not in inner[1:-1]:
        return inner[1:-1]
    return text
