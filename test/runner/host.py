"""Processes of this machine: who descends from whom, ending them, being there when they die.

A test runs in a worker process of its own that is a child subreaper, so whatever a test starts (a restarted program
has `mig` as its parent only for a moment) ends up below its worker and is found and ended by pid there.
"""
import ctypes
import os
import signal
import time

_libc = ctypes.CDLL(None, use_errno=True)
PR_SET_CHILD_SUBREAPER = 36


def become_subreaper():
    if _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def stat_fields(pid):
    """The fields of /proc/PID/stat from the third on (state first), or None."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()
    except OSError:
        return None


def state(pid):
    fields = stat_fields(pid)
    return fields[0] if fields else None


def alive(pid):
    return state(pid) not in (None, "Z", "X")


def threads(pid):
    try:
        return sorted(int(t) for t in os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return []


def children(parent):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat_fields(name)
            if fields and int(fields[1]) == parent:
                found.append(int(name))
    return found


def descendants(root):
    below = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat_fields(name)
            if fields:
                below.setdefault(int(fields[1]), []).append(int(name))
    found, queue = [], [root]
    while queue:
        for pid in below.get(queue.pop(), []):
            found.append(pid)
            queue.append(pid)
    return found


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def end_descendants(limit=5.0, spare=()):
    """Kills and reaps everything below this process but `spare`; returns what would not die."""
    deadline = time.monotonic() + limit
    left = []
    while time.monotonic() < deadline:
        left = [p for p in descendants(os.getpid()) if p not in spare]
        if not left:
            return []
        for pid in left:
            kill(pid)
        for pid in left:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
        time.sleep(0.005)
    return left


def burn_pids(count):
    """Uses up process numbers, so that the next process gets a number well behind the last one."""
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
