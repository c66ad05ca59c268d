"""What a test function is handed: a directory of its own, a user to be, and bounded ways to run and to wait."""
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from . import host

ORDINARY = 65534  # the uid and gid that root's runner uses as the ordinary user


class Failure(Exception):
    """The test failed; the text says how."""


class Skip(Exception):
    """The test cannot run here; the text says why."""


class Build:
    """The binaries under test."""

    def __init__(self, root):
        self.root = Path(root)
        self.mig = self.root / "tools/mig"
        self.library = self.root / "preload/libmig.so"
        self.stub = self.root / "restore/mig-restart"
        self.subjects = self.root / "test/subjects"
        self.tools = self.root / "test/tools"

    def need(self, *paths):
        for path in paths or (self.mig, self.library, self.stub):
            if not path.exists():
                raise Skip(f"{path.relative_to(self.root)} is not built")


class Case:
    WAIT = 20.0
    patience = 1.0  # every limit is so many times as long (--patience)

    def __init__(self, build, scratch, user=None, source=None):
        self.build = build
        self.scratch = Path(scratch)
        self.user = user  # None: whoever runs the tests
        self.source = source
        self.story = []  # commands that ran, printed when the test fails
        self.cleanups = []
        self.program = None  # for the backtrace of a core
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("MIG_") and k != "LD_PRELOAD"}
        self.env.update(MIG_RUN=str(self.scratch / "run"), XDG_RUNTIME_DIR=str(self.scratch / "run"),
                        HOME=str(self.scratch), TMPDIR=str(self.scratch), SHELL="/bin/sh", LC_ALL="C.UTF-8", NO_COLOR="1")
        self.directory("run")

    # Files

    def own(self, path):
        if self.user is not None:
            os.chown(path, self.user, self.user)
        return path

    def directory(self, name):
        path = self.scratch / name
        path.mkdir(mode=0o700, exist_ok=True)
        return self.own(path)

    def file(self, name, text=""):
        path = self.scratch / name
        if isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(text)
        return self.own(path)

    # Processes

    def _as_user(self):
        if self.user is None:
            return {}
        return {"user": self.user, "group": self.user, "extra_groups": []}

    def spawn(self, argv, stdin=subprocess.DEVNULL, stdout=None, stderr=None, env=None, cwd=None, **more):
        argv = [str(a) for a in argv]
        self.story.append("$ " + shlex.join(argv))
        log = open(self.own_file("output"), "ab") if stdout is None or stderr is None else None
        try:
            return subprocess.Popen(argv, stdin=stdin, stdout=stdout if stdout is not None else log,
                                    stderr=stderr if stderr is not None else log, env={**self.env, **(env or {})},
                                    cwd=cwd or self.scratch, **self._as_user(), **more)
        finally:
            if log:
                log.close()

    def own_file(self, name):
        path = self.scratch / name
        if not path.exists():
            path.touch()
            self.own(path)
        return path

    def run(self, argv, expect=0, timeout=None, input=None, **more):
        """Runs to the end and returns it with .stdout and .stderr as text. `expect`: exit code, several, or None for any."""
        process = self.spawn(argv, stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        try:
            out, err = process.communicate(input.encode() if input is not None else None, self.patience * (timeout or self.WAIT))
        except subprocess.TimeoutExpired:
            raise Failure(f"`{shlex.join(str(a) for a in argv)}` does not end\n" + self.diagnose(process.pid))
        result = subprocess.CompletedProcess(argv, process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
        text = (result.stdout + result.stderr).strip()
        self.story.append(f"  exit {result.returncode}" + (": " + text[-3000:] if text else ""))
        expected = expect if isinstance(expect, (tuple, list)) else (expect,)
        if expect is not None and result.returncode not in expected:
            raise Failure(f"`{shlex.join(str(a) for a in argv)}` ended with {result.returncode}, not {expect}: {text[-3000:]}")
        return result

    def mig(self, *argv, **more):
        return self.run([self.build.mig, *argv], **more)

    def wait(self, condition, what, limit=None, pid=None):
        """Polls until condition() is true (and returns its value). `pid`: fails at once when that process ends."""
        limit = self.patience * (limit or self.WAIT)
        deadline = time.monotonic() + limit
        while True:
            value = condition()
            if value:
                return value
            if pid is not None and not host.alive(pid):
                value = condition()
                if value:
                    return value
                raise Failure(f"process {pid} ended while waiting for {what}{self.reap(pid)}")
            if time.monotonic() > deadline:
                raise Failure(f"no {what} within {limit:g} s" + ("\n" + self.diagnose(pid) if pid else ""))
            time.sleep(0.003)

    def reap(self, pid):
        """How a child of this worker ended, in words."""
        try:
            code = self.end_status(pid, 2)
        except (ChildProcessError, Failure):
            return ""
        return f" (killed by signal {-code}{self.core_backtrace()})" if code < 0 else f" (exit status {code})"

    def end_status(self, pid, limit=10.0):
        """Waits for a child (also one that came here by reparenting) and returns its exit code, -N for a signal."""
        deadline = time.monotonic() + limit * self.patience
        while time.monotonic() < deadline:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        raise Failure(f"process {pid} does not end\n" + self.diagnose(pid))

    # Explaining

    def diagnose(self, pid):
        """Where a process that hangs is: state, blocking call, and backtraces when gdb is there."""
        parts = []
        for tid in host.threads(pid)[:12]:
            words = [f"tid {tid}"]
            for name in ("comm", "wchan", "syscall"):
                try:
                    words.append(Path(f"/proc/{pid}/task/{tid}/{name}").read_text().strip())
                except OSError:
                    pass
            parts.append("  ".join(words + [f"state {host.state(pid)}"]))
        if shutil.which("gdb") and host.alive(pid):
            try:
                out = subprocess.run(["gdb", "-nx", "-batch", "-p", str(pid), "-ex", "thread apply all bt 12"], stdin=subprocess.DEVNULL,
                                     capture_output=True, timeout=15, text=True).stdout
                parts.append("\n".join(line for line in out.splitlines() if line.startswith(("#", "Thread")))[-4000:])
            except subprocess.TimeoutExpired:
                pass
        return "\n".join(parts)

    def core_backtrace(self):
        cores = sorted(self.scratch.glob("**/core*"))
        cores = [c for c in cores if c.is_file() and c.read_bytes()[:4] == b"\x7fELF"]
        if not cores or not shutil.which("gdb"):
            return ""
        out = subprocess.run(["gdb", "-nx", "-batch", *([str(self.program)] if self.program else []), "-c", str(cores[-1]), "-ex", "info registers rip rsp",
                              "-ex", "x/3i $rip", "-ex", "print $_siginfo._sifields._sigfault", "-ex", "info symbol $rip", "-ex", "thread apply all bt 10"],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
        return "\n" + out[-3500:]

    def report(self):
        output = self.scratch / "output"
        text = "\n".join(self.story[-12:])
        if output.exists() and output.stat().st_size:
            text += "\n--- output of the program\n" + output.read_text(errors="replace")[-2000:]
        return text

    def later(self, function, *args):
        self.cleanups.append((function, args))

    def clean(self):
        for function, args in reversed(self.cleanups):
            try:
                function(*args)
            except Exception as error:  # a failed clean-up must not hide the result
                print(f"clean-up: {error}", file=sys.stderr)
