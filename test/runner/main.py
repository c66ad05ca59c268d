"""Selects tests, runs each in a worker process of its own, prints what happened.

What failed is told where it happened and once more at the end. The last line is `N passed, N failed, N skipped`.
Exit status 1 if any failed.
"""
import argparse
import fnmatch
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from . import host
from .case import ORDINARY, Build, Case, Failure, Skip

ROOT = Path(__file__).resolve().parents[2]
GRACE = 60  # seconds that a worker whose test took too long has to tell where it hung
MODULES = ("unit", "rules", "subjects", "kernel", "launch", "coverage", "errors", "crafted", "image", "trees", "consistency", "move", "other_hosts",
           "programs", "tree_programs", "tree_tools", "tree_terminals", "tree_services", "scripts")


@dataclass
class Test:
    name: str
    function: Callable
    timeout: float = 60
    long: bool = False
    user: Optional[int] = None
    alone: bool = False  # not beside other tests (it needs the machine's attention or its process numbers)


def users():
    """The users to run as: root and an ordinary one when this is root."""
    return [("root", None), ("user", ORDINARY)] if os.geteuid() == 0 else [("user", None)]


def parse(argv):
    p = argparse.ArgumentParser(prog="scripts/test", description="Builds mig and runs its tests.",
                                epilog="example: scripts/test 'subject/pipe*' --repeat 50")
    p.add_argument("patterns", nargs="*", help="names of tests, or parts of them, or patterns (* ?)")
    p.add_argument("--build", default=str(ROOT / "build"), help="build directory (build)")
    p.add_argument("--jobs", "-j", type=int, default=max(2, min(4, os.cpu_count() or 2)), help="tests at the same time")
    p.add_argument("--repeat", type=int, default=1, metavar="N", help="run each test N times")
    p.add_argument("--generations", type=int, default=0, metavar="N", help="checkpoints and restarts of each subject (3)")
    p.add_argument("--patience", type=float, default=1, metavar="N", help="wait N times as long for everything: for a slow machine (1)")
    p.add_argument("--long", action="store_true", help="also the long tests")
    p.add_argument("--list", action="store_true", help="only print the names")
    p.add_argument("--keep", action="store_true", help="keep the directories of failed tests")
    p.add_argument("--verbose", "-v", action="store_true", help="print what ran also for passed tests")
    return p.parse_args(argv)


def collect(options):
    tests = []
    for name in MODULES:
        tests += importlib.import_module(f"cases.{name}").tests(options)
    return tests


def selected(test, options):
    if not options.patterns:
        return options.long or not test.long
    return any(fnmatch.fnmatch(test.name, p) or (not set(p) & set("*?[") and p in test.name) for p in options.patterns)


def limit(case, seconds):
    """After that time the test fails, and what runs below it is shown."""

    def over(*_):
        hung = [case.diagnose(p) for p in host.descendants(os.getpid()) if host.alive(p)]
        raise Failure("\n".join([f"took longer than {seconds:g} s", *hung[:4]]))

    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def work(test, options, directory):
    """In the worker: runs one test and leaves result.json."""
    os.setsid()
    host.become_subreaper()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
    scratch = directory / "s"
    scratch.mkdir(mode=0o711)
    if test.user is not None:
        os.chown(scratch, test.user, test.user)
    case = Case(Build(options.build), scratch, test.user, ROOT)
    status, text = "failed", ""
    limit(case, test.timeout)
    try:
        test.function(case)
        status = "passed"
        text = case.report() if options.verbose else ""
    except Skip as reason:
        status, text = "skipped", str(reason)
    except Failure as failure:
        text = f"{failure}\n{case.report()}"
    except Exception:
        text = traceback.format_exc() + case.report()
    signal.setitimer(signal.ITIMER_REAL, 0)
    case.clean()
    left = host.end_descendants(5 * options.patience)
    if left and status == "passed":
        status, text = "failed", f"processes that would not die: {left}"
    (directory / "result.json").write_text(json.dumps({"status": status, "text": text}))


def indented(text):
    return "\n".join("    " + line for line in text.splitlines())


class Runner:
    def __init__(self, options, tests, top):
        self.options, self.top = options, Path(top)
        self.queue = [(t, n) for n in range(options.repeat) for t in tests]
        self.running = {}  # worker pid -> (test, directory, start, deadline)
        self.count = {"passed": 0, "failed": 0, "skipped": 0}
        self.failures = []
        self.serial = 0

    def start(self, test):
        self.serial += 1
        directory = self.top / str(self.serial)
        directory.mkdir(mode=0o711)
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            try:
                work(test, self.options, directory)
            finally:
                os._exit(0)
        now = time.monotonic()
        self.running[pid] = (test, directory, now, now + test.timeout + GRACE)

    def finish(self, pid, killed=False):
        test, directory, start, _ = self.running.pop(pid)
        try:
            result = json.loads((directory / "result.json").read_text())
        except (OSError, ValueError):
            result = {"status": "failed", "text": f"took longer than {test.timeout + GRACE:g} s" if killed else "the worker died"}
        self.count[result["status"]] += 1
        took = time.monotonic() - start
        line = f"{result['status']:8}{test.name}  ({took:.1f} s)"
        if result["status"] == "skipped":
            line += f": {result['text']}"
        print(line)
        if result["status"] == "failed":
            self.failures.append((test.name, result["text"]))
        if result["text"] and result["status"] != "skipped":
            print(indented(result["text"]))
        sys.stdout.flush()
        if not (self.options.keep and result["status"] == "failed"):
            shutil.rmtree(directory, ignore_errors=True)

    def step(self):
        if self.queue and not any(t.alone for t, *_ in self.running.values()):
            test = self.queue[0][0]
            if len(self.running) < (1 if test.alone else self.options.jobs):
                self.start(self.queue.pop(0)[0])
                return
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            if pid in self.running:
                self.finish(pid)
        for pid, (_, _, _, deadline) in list(self.running.items()):
            if time.monotonic() > deadline:
                below = host.descendants(pid)
                host.kill(pid)
                os.waitpid(pid, 0)
                for p in below:
                    host.kill(p)
                self.finish(pid, killed=True)
        time.sleep(0.01)

    def run(self):
        while self.queue or self.running:
            self.step()

    def tell_failures(self):
        """Again, all together: of a long log often only the end is kept."""
        if not self.failures:
            return
        print("failed: " + " ".join(dict.fromkeys(name for name, _ in self.failures)))
        for name, text in self.failures:
            print(f"  {name}\n{indented(text)}")


def readable_build(options, top):
    """The ordinary user must reach the binaries: if the build is behind a closed directory, a copy is used."""
    path = Path(options.build).resolve()
    options.build = str(path)
    if os.geteuid() == 0 and any(not p.stat().st_mode & 0o001 for p in (path, *path.parents)):
        copy = Path(top) / "build"
        for part in ("tools", "preload", "restore", "test"):
            if (path / part).exists():
                shutil.copytree(path / part, copy / part, symlinks=True, ignore=shutil.ignore_patterns("*.p"))
        shutil.copy(path / "compile_commands.json", copy)
        copy.chmod(0o755)
        options.build = str(copy)


def main(argv=None):
    options = parse(argv)
    tests = [t for t in collect(options) if selected(t, options)]
    if options.list:
        print("\n".join(t.name for t in tests))
        return 0
    tests.sort(key=lambda t: t.alone)
    Case.patience = options.patience
    for test in tests:
        test.timeout *= options.patience
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    host.become_subreaper()
    top = tempfile.mkdtemp(prefix="mig-test-")
    os.chmod(top, 0o711)
    begin = time.monotonic()
    try:
        readable_build(options, top)
        runner = Runner(options, tests, top)
        runner.run()
    finally:
        left = host.end_descendants()
        if not options.keep:
            shutil.rmtree(top, ignore_errors=True)
        else:
            print(f"kept: {top}")
    if left:
        print(f"processes that would not die: {left}")
    runner.tell_failures()
    print(f"{len(runner.queue) + sum(runner.count.values())} tests in {time.monotonic() - begin:.0f} s")
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**runner.count))
    return 1 if runner.count["failed"] or left else 0
