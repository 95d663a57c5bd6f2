"""What people write between their outputs, as far as it says whose the next output is, or that it is nobody's.

Three things are told from a sentence: that what follows (or is quoted in it) is an example and not this host's
own; that what follows was read inside a guest, or on the host; and that a line is a sentence at all.

>>> cue("You should see something like this:"), cue("I should see DMAR, but I only get:")
('example', '')
>>> cue("dmesg in the guest:"), cue("On the host:"), cue("宿主机上的日志："), cue("正常情况下应该会看到：")
('guest', 'host', 'host', 'example')
"""

from __future__ import annotations

import re
from functools import cache

_LOOKED_AT = 400  # characters of a sentence
EXAMPLE, GUEST, HOST = "example", "guest", "host"
_EXAMPLE = (
    r"\bshould(?:\s(?:now|then|also|be|have|at\sleast)){0,3}\s(?:see|show|shown|look|read|get|got|return|output|print|say"
    r"|seen|appear|contain|list|something|similar)\b"
    r"|\b(?:supposed|meant)\sto\s(?:see|show|look|be|say|print|get)\b"
    r"|\bexpect(?:ed|ing)?\s(?:output|result|line|lines|log|to\ssee|something)\b"
    r"|\b(?:sample|example)\s(?:output|log|result)\b|^\W{0,6}(?:an?\s)?examples?(?:\s\w{1,12}){0,3}\s?:\W{0,4}$"
    r"|\b(?:you|one)(?:'ll|\swill|\swould)\s(?:then\s)?see\b|\b(?:wiki|guide|tutorial|docs|documentation|howto)\ssays\b"
    r"|\b(?:working|correct|good|healthy)\s(?:system|host|machine|setup)\s(?:shows?|looks?|prints?|says|has)\b"
    r"|\blook(?:ing)?\sfor\s(?:a\s|the\s)?(?:lines?|something|output|messages?)\b"
    r"|应该?(?:会|能|可以|要|是|有|就)?(?:看到|看见|显示|输出|出现|类似|如下|返回)|(?:预期|期望|正确|正常)的?(?:输出|结果)"
    r"|示例(?:输出)?|会(?:看到|输出|显示)(?:类似|如下)|正常(?:情况下?|的话)?(?:应|会|是)|類似|應該?(?:會|能|可以)?(?:看到|顯示|輸出|出現)"
    r"|\b(?:sollte|solltest|sollten|müsste|müssten|müsstest)\b.{0,60}\b(?:sehen|aussehen|stehen|erscheinen|ausgeben"
    r"|anzeigen|kommen|zu\ssehen)\b|\b(?:erwartete|richtige)\s(?:ausgabe|ergebnis)\b|\bbeispiel(?:ausgabe)?\s?:"
    r"|\bdevr(?:iez|ait|ais)\s(?:voir|afficher)\b|\bsortie\sattendue\b|\bdeber[ií]a[sn]?\s(?:ver|aparecer|mostrar)\b"
    r"|\bsalida\sesperada\b|должн[оаыя]?\w?\s(?:увидеть|быть|появиться|показать)|\bdeveria\s(?:ver|aparecer|mostrar)\b"
)
# What follows is the writer's own after all.
_CONTRAST = (
    r"\b(?:but|however|instead|only|yet|aber|sondern|stattdessen|nur|jedoch|mais|pero|mas)\b"
    r"|但|却|可是|不过|而我|而是|只|но\s"
)
# A message that is named because it is not there.
_MISSED = (
    r"\b(?:do|does|did|can|could)(?:n['’]?t|not|\snot)\s(?:even\s)?(?:see|show|find|contain|have\s(?:a|any|the)\sline|print)\b"
    r"|\b(?:there\s(?:is|are|was)|i\s(?:have|see|get))\sno\s.{0,40}\b(?:line|lines|entry|entries|message|messages)\b"
    r"|没有?(?:看到|出现|显示|找到|输出)|看不到|沒有?(?:看到|出現|顯示)|\bkeine?\s.{0,40}\b(?:zeilen?|meldung(?:en)?|eintrag|einträge)\b"
    r"|\bsehe\s.{0,40}\bnicht\b"
)
_GUEST = r"(?:guests?|vms?|virtual\smachines?|domu|guest\s?os|windows\sguest|linux\sguest)"
_PLACE = (
    r"(?P<guest>\b(?:in(?:side)?|on|from|within)\s(?:of\s)?(?:the\s|my\s|a\s|this\s|that\s)?(?:\w{1,16}\s)?"
    + _GUEST
    + r"(?!['’]?s?\s?(?:conf|start|xml|setting|hardware|option|boot\sorder|definition|host|manager|id))\b"
    r"|^\W{0,8}(?:from\s)?(?:guest|vm|virtual\smachine|gast|gastsystem)(?:['’]s)?"
    r"(?:\s(?:dmesg|lspci|logs?|kernel|os|side|output|system|journal|journalctl|cmdline|iommu|uname)){0,3}\W{0,8}$"
    r"|\b(?:dmesg|lspci|log|logs|output)\s(?:of|from)\s(?:the\s|my\s)?(?:\w{1,16}\s)?" + _GUEST + r"\b"
    r"|\b(?:in\sder|innerhalb\sder|aus\sder)\s(?:vm|virtuellen\smaschine)\b|\b(?:im|vom)\sgast\w{0,8}\b"
    r"|(?:虚拟机|虛擬機|客户机|客戶機|客机|guest|vm)\s?(?:里面?|裡面?|内部?|內部?|中|上|端|系统)"
    r"|^\W{0,8}(?:虚拟机|虛擬機|客户机|客戶機)的?(?:\s?(?:dmesg|lspci|日志|内核日志|输出|系统日志)){0,2}\W{0,8}$)"
    r"|(?P<host>\b(?:on|from)\s(?:the\s|my\s|a\s|this\s)?(?:\w{1,16}\s)?(?:host|hypervisor|bare\smetal|dom0|node)\b"
    r"|^\W{0,8}(?:host|hypervisor|dom0|wirt)(?:['’]s)?(?:\s\w{1,12}){0,2}\s?:\W{0,6}$|^\W{0,8}(?:host|hypervisor)\W{0,8}$"
    r"|\b(?:auf\sdem|vom|am)\shost\w{0,8}\b|宿主机?|宿主機|物理机|物理機|(?<!虚拟)主机(?:上|端|的|日志|:|：)|母机)"
)
# Without one of these words no pattern fits: most lines cost no more than looking for them.
_EXAMPLE_HINTS = (
    "should", "supposed", "meant", "expect", "sample", "example", "ll see", "will see", "would see",
    "then see", " says", "working ", "correct ", "good ", "healthy ", "look for", "looking for", "应", "應",
    "期望", "预期", "正确", "正常", "示例", "会看到", "会输出", "会显示", "類似", "sollte", "müsste",
    "erwartet", "richtige", "beispiel", "devr", "attendue", "deber", "esperada", "долж", "deveria",
)  # fmt: skip
_PLACE_HINTS = (
    "guest", "vm", "virtual", "domu", "gast", "虚拟机", "虛擬機", "客户机", "客戶機", "客机", "host",
    "hypervisor", "bare", "dom0", "node", "wirt", "宿主", "物理", "主机", "母机",
)  # fmt: skip
_MISSED_HINTS = ("n't", "n’t", "nt ", "not", " no ", "没", "沒", "不到", "kein", "nicht")
_QUOTED_HINTS = ("dmar", "amd-vi", "iommu", "vfio", "remapping", "directed")
_SENTENCE_WORDS = frozenset(
    (  # noqa: SIM905 - words, not data
        "the a an i you it is are was my your to and this that of in on for with not but so if when have has can"
        " should would there then after before also just get got see what how why any please thanks ich das ist der"
        " die und nicht mit auf ein eine wie habe aber wenn auch noch je le la les est et que pour une el los es una"
        " por con не на что это как"
    ).split()
)
_PERSONAL = frozenset(
    (  # noqa: SIM905 - words, not data
        "i i'm i've i'll my me you your we our please thanks any anyone help ich mein meine mir du wir danke je mon ma"
        " yo mi mis gracias io mio я мой у спасибо eu meu minha obrigado"
    ).split()
)
_MACHINE = ("#", ";", "//", "|", "<", '"', "-", "[", "{", "}", "+", "*/", "=", "\\")


@cache
def _pattern(source: str) -> re.Pattern[str]:
    return re.compile(source, re.IGNORECASE)


def cue(text: str) -> str:
    """What a line written by a person says of the output that follows: "example", "guest", "host", or nothing."""
    head = text[:_LOOKED_AT].strip()
    low = head.lower()
    examples = list(_pattern(_EXAMPLE).finditer(head)) if any(word in low for word in _EXAMPLE_HINTS) else []
    if examples:
        return "" if _pattern(_CONTRAST).search(head, examples[-1].end()) else EXAMPLE
    heads = head.endswith((":", "：", "*", "=", "]")) or (len(head) < 60 and len(low.split()) <= 6)
    if not heads or not any(word in low for word in _PLACE_HINTS):
        return ""
    places = list(_pattern(_PLACE).finditer(head))
    if places:
        return GUEST if places[-1].group("guest") else HOST
    return ""


def misses(text: str) -> bool:
    """Whether a sentence names a message because it is not there.

    >>> misses("I don't see DMAR: Intel(R) Virtualization Technology for Directed I/O"), misses("DMAR: IOMMU enabled")
    (True, False)
    """
    head = text[:_LOOKED_AT]
    low = head.lower()
    hinted = any(word in low for word in _QUOTED_HINTS) and any(word in low for word in _MISSED_HINTS)
    return hinted and _pattern(_MISSED).search(head) is not None


def _ideographs(text: str) -> int:
    """How many characters of Chinese, Japanese or Korean a text has."""
    if text.isascii():
        return 0
    return sum(
        "\u3040" <= one <= "\u30ff" or "\u3400" <= one <= "\u9fff" or "\uac00" <= one <= "\ud7af" for one in text
    )


def sentence(text: str) -> bool:
    """Whether a line was written for people rather than printed.

    >>> [sentence(x) for x in ("After that I rebooted and it is the same.", "然后我重启了宿主机", "vfio_pci 16384 0")]
    [True, True, False]
    """
    head = text[:_LOOKED_AT].strip()
    if not head or head.startswith(_MACHINE):
        return False
    ideographs = _ideographs(head)
    if ideographs >= 4:
        speaker = head.partition(":")[0]
        return not (": " in head and speaker.isascii() and " " not in speaker) and ideographs * 4 >= len(head)
    words = head.lower().split()
    if words[0].endswith(":") and words[0] not in ("edit:", "update:", "note:"):
        return False  # a program speaks
    known = sum(1 for word in words if word.strip(".,:;!?()'\"") in _SENTENCE_WORDS)
    return len(words) >= 4 and known >= 2 and known * 6 >= len(words)


def personal(text: str) -> bool:
    """Whether a line is surely somebody's sentence: programs do not speak of themselves, nor in ideographs at length.

    >>> personal("Copying and configuring kernels on /dev/disk/by-uuid/EA72-BD09"), personal("Then I started the VM.")
    (False, True)
    """
    if not sentence(text):
        return False
    words = text[:_LOOKED_AT].lower().split()
    return _ideographs(text[:_LOOKED_AT]) >= 4 or any(word.strip(".,:;!?()'\"") in _PERSONAL for word in words)
