"""An error message in place of a command's output, in the languages that pastes come in.

>>> refusal("ls /sys/class/iommu", ["ls: impossible d'accéder à '/sys/class/iommu': Aucun fichier"])
'absent'
"""

from __future__ import annotations

from doctor.evidence.types import ABSENT, DENIED, NOT_COLLECTED

_MISSING = (
    "No such file or directory",
    "没有那个文件或目录",
    "沒有此一檔案或目錄",
    "Datei oder Verzeichnis nicht gefunden",
    "Aucun fichier ou dossier",
    "No existe el fichero",
    "Нет такого файла",
    "そのようなファイル",
    "Arquivo ou diretório inexistente",
    "File o directory non esistente",
    "Nie ma takiego pliku",
)
_DENIED = (
    "Operation not permitted",
    "Permission denied",
    "不允许的操作",
    "权限不够",
    "拒绝",
    "nicht erlaubt",
    "Keine Berechtigung",
    "Permission non accordée",
    "Opération non permise",
    "Permiso denegado",
    "Operación no permitida",
    "許可されて",
    "Отказано в доступе",
    "Permissão negada",
    "Permesso negato",
    "Brak dostępu",
)
_SHELLS = ("bash", "zsh", "sh", "ksh", "fish", "sudo")


def refusal(command: str, lines: list[str]) -> str | None:
    """The state of evidence whose command printed an error of its own instead; None if it did not."""
    filled = [line.strip() for line in lines if line.strip()] if len(lines) < 40 else []
    if not filled or len(filled) > 2:
        return None
    names = [word.rpartition("/")[2] for word in command.replace("|", " ").split()]
    speaker = filled[0].partition(": ")[0].lstrip("-")
    if ": " not in filled[0] or speaker not in (*names, *_SHELLS):
        return None
    if any(word in filled[0] for word in _DENIED):
        return DENIED
    if speaker in ("ls", "cat", "find") or any(word in filled[0] for word in _MISSING):
        return NOT_COLLECTED if "command not found" in filled[0] else ABSENT
    return NOT_COLLECTED
