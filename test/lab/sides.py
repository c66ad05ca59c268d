"""The two hosts of the lab, asked in one way: this machine, and the guest. Paths are the same on both."""
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from guest import Broken

COPIED = ("tools/mig", "preload/libmig.so", "restore/mig-restart")


class Failed(Exception):
    """A claim does not hold; the text says which."""


class Skipped(Exception):
    """The kernel or the CPU has not what the test needs."""


class Side:
    def __init__(self, name, build, directory):
        self.name, self.build, self.directory = name, Path(build), Path(directory)
        self.env = {"MIG_RUN": str(self.directory / "run"), "HOME": str(self.directory), "LC_ALL": "C.UTF-8", "NO_COLOR": "1",
                    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

    def need(self, argv, expect=0, limit=60, env=None):
        """Runs a program that must end with `expect`; returns what it wrote."""
        status, out, error = self.run(argv, limit=limit, env=env)
        if status != expect:
            raise Failed(f"{self.name}: `{' '.join(map(str, argv))}` ended with {status}, not {expect}: {(out.decode() + error).strip()[-1500:]}")
        return out.decode() + error if expect else out.decode()

    def mig(self, *argv, **more):
        return self.need([self.build / "tools/mig", *argv], **more)

    def shell(self, script, limit=60):
        return self.need(["sh", "-c", script], limit=limit)

    def wait_for(self, path, what, seconds=60):
        """One command waits, so that it costs one round trip."""
        script = f"i=0; while [ ! -e '{path}' ] && [ $i -lt {seconds * 10} ]; do sleep 0.1; i=$((i+1)); done; ls '{path}' 2>/dev/null; true"
        found = self.shell(script, limit=seconds + 30)
        if not found.strip():
            raise Failed(f"{self.name}: no {what} within {seconds} s: {self.said()}")

    def said(self):
        return self.shell(f"tail -c 1500 '{self.directory}'/*/output 2>/dev/null; true")


class Here(Side):
    def __init__(self, build, directory):
        super().__init__("here", build, directory)

    def end_all(self):
        """Whatever a failed test has left running."""
        status, out, _ = self.run([self.build / "tools/mig", "ls", "--json"])
        for job in json.loads(out)["jobs"] if status == 0 else []:
            for process in job["processes"]:
                os.kill(process["pid"], signal.SIGKILL)

    def run(self, argv, limit=60, input=b"", env=None):
        try:
            done = subprocess.run([str(a) for a in argv], input=input, capture_output=True, timeout=limit, env={**self.env, **(env or {})},
                                  cwd=self.directory)
        except subprocess.TimeoutExpired as late:
            return None, late.stdout or b"", (late.stderr or b"").decode(errors="replace")
        return done.returncode, done.stdout, done.stderr.decode(errors="replace")

    def spawn(self, argv, output, env=None):
        with open(output, "ab") as output:
            return subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                    env={**self.env, **(env or {})}, cwd=self.directory, start_new_session=True).pid


def own_rights():
    """User, group, groups, capability bounding set and limits of whoever runs the lab."""
    bounding = int(Path("/proc/self/status").read_text().split("CapBnd:")[1].split()[0], 16)
    limits = [(number, resource.getrlimit(number)) for number in range(16)]
    return [os.getuid(), os.getgid(), os.getgroups(), bounding, limits]


class There(Side):
    """Runs everything with the ids, capabilities and limits of whoever runs the lab: a restart gives nothing that it has not."""

    def __init__(self, guest, build, directory):
        super().__init__("there", build, directory)
        self.guest, self.ids = guest, own_rights()

    def run(self, argv, limit=60, input=b"", env=None):
        return self.guest.run(argv, {**self.env, **(env or {})}, self.directory, self.ids, limit, input)

    def spawn(self, argv, output, env=None):
        return self.guest.spawn(argv, output, {**self.env, **(env or {})}, self.directory, self.ids)

    def install(self, paths):
        """Brings files of this machine to the same place there."""
        packed = subprocess.run(["tar", "-czhPf", "-", *map(str, paths)], capture_output=True, check=True).stdout
        status, _, error = self.guest.run(["tar", "-xzPf", "-"], input=packed, limit=120)
        if status:
            raise Broken(f"tar: {error}")
        run, owner = self.directory / "run", f"{self.ids[0]}:{self.ids[1]}"
        self.guest.run(["sh", "-c", f"mkdir -p {run} && chmod 700 {run} && chown {owner} {self.directory} {run}"])


def pack(side, path, more=""):
    status, packed, error = side.run(["sh", "-c", f"tar -I 'gzip -1' -cSPf - '{path}' {more}"], limit=180)
    if status:
        raise Failed(f"{side.name}: tar: {error}")
    return packed


def copy(a, b, path):
    """Brings a directory to the other side too. Returns the bytes on the way."""
    return unpack(b, pack(a, path))


def carry(a, b, path):
    """Moves a directory from one side to the other: nothing of it stays."""
    return unpack(b, pack(a, path, f"&& rm -rf '{path}'"))


def unpack(side, packed):
    status, _, error = side.run(["tar", "-xzSPf", "-"], limit=120, input=packed)
    if status:
        raise Failed(f"{side.name}: tar: {error}")
    return len(packed)


class Clock:
    def __init__(self):
        self.begin = time.monotonic()

    def __str__(self):
        return f"{time.monotonic() - self.begin:6.1f} s"


def say(text=""):
    print(text)
    sys.stdout.flush()
