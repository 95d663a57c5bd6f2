"""Writes a new file whole or not at all, with mode 0600, over nothing and through no link.

Where the file system can (O_TMPFILE, Linux 3.11), the file has no name until it is complete, so that even a
collector that is killed leaves nothing. Elsewhere it is written under a hidden name first.
"""

import binascii
import errno
import os

__all__ = ["write_new"]


def write_new(data: bytes, target_path: str) -> None:
    """Write DATA to the new file TARGET_PATH.

    Raises FileExistsError if the name is taken (by a link, too), and OSError for what else prevents it.
    """
    if os.path.lexists(target_path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target_path)
    folder = os.path.dirname(target_path) or "."
    if not _write_nameless(data, folder, target_path):
        _write_hidden(data, folder, target_path)


def _write_nameless(data: bytes, folder: str, target: str) -> bool:
    """Whether it was written; not where the file system knows no nameless files."""
    flags = getattr(os, "O_TMPFILE", 0)
    if not flags:
        return False
    try:
        out = os.open(folder, flags | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
            return False
        raise
    try:
        _fill(out, data)
        here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # With a folder's descriptor Python calls linkat(2), which can follow the link in /proc.
            os.link("/proc/self/fd/{}".format(out), os.path.basename(target), src_dir_fd=here, dst_dir_fd=here)
        finally:
            os.close(here)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG):
            raise
        return False  # no /proc, or a file system that cannot link
    finally:
        os.close(out)
    return True


def _write_hidden(data: bytes, folder: str, target: str) -> None:
    temporary = os.path.join(folder, ".passdoctor-{}.tmp".format(binascii.hexlify(os.urandom(8)).decode()))
    try:
        out = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            _fill(out, data)
        finally:
            os.close(out)
        _publish(temporary, target)
    finally:
        # In every case, an interrupt included: the file has its own name by now, or is not wanted.
        try:
            os.unlink(temporary)
        except FileNotFoundError:
            pass


def _fill(out: int, data: bytes) -> None:
    os.fchmod(out, 0o600)  # whatever the umask took away
    view = memoryview(data)
    while view:
        view = view[os.write(out, view) :]
    os.fsync(out)


def _publish(temporary: str, target: str) -> None:
    try:
        os.link(temporary, target)
        return
    except FileExistsError:
        raise
    except OSError:
        pass  # FAT and some network file systems have no hard links
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    try:
        os.rename(temporary, target)
    except BaseException:
        os.unlink(target)
        raise
