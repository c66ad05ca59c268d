"""The lab: a program goes to another kernel and another CPU and back. scripts/lab sets everything up first.

Prints what is done and what was seen; the last line is `N passed, N failed`. Exit status 1 if any failed.
"""
import argparse
import fcntl
import os
import shutil
import signal
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from guest import Broken, Guest
from moves import move_refused, moved_to_and_fro
from network import Network
from restarts import PROGRAM, python_to_and_fro, refused, to_and_fro
from sides import COPIED, Clock, Failed, Here, Skipped, There, say
from suite import suite

SUBJECTS = ("vdso_direct", "clocks", "signal_frames", "thread_rseq", "lock_mutexes", "timer_posix", "blocked_timed", "mem_anonymous",
            "process_settings", "epoll", "tree_sessions", "tree_terminal", "tree_stopped", "shared_ends")
USE_AVX = ("signal_frames", "thread_registers")


class Lab:
    def __init__(self, build, lab, only="", patterns=()):
        self.only, self.patterns, self.lacking = only, patterns, Network.missing()
        self.build, self.lab = Path(build).resolve(), Path(lab).resolve()
        self.directory = self.lab / "work"
        self.passed, self.failed, self.clock = 0, [], Clock()

    def claim(self, text, function, *args):
        """Runs one test and prints how it ended."""
        if self.only not in text:
            return
        try:
            seen = function(*args)
            self.passed += 1
            say(f"  {self.clock}  ok      {text}" + (f": {seen}" if seen else ""))
        except Skipped as reason:
            say(f"  {self.clock}  skipped {text}: {reason}")
        except (Failed, ValueError, KeyError) as error:
            self.failed.append(text)
            say(f"  {self.clock}  FAILED  {text}: {error}" if isinstance(error, Failed) else traceback.format_exc())

    def moves(self, text, function, *args):
        """A test that needs ssh between the hosts."""
        def moved():
            if self.lacking:
                raise Skipped(self.lacking)
            return function(*args)
        self.claim(text, moved)

    def suite(self, there):
        if self.patterns:
            self.claim(f"tests of the suite there: {' '.join(self.patterns)}", suite, there, self.patterns)

    def copy_build(self):
        """What the two hosts share; a copy, so that the tree may be built again meanwhile."""
        copy = self.directory / "build"
        programs = (p.relative_to(self.build) for part in ("subjects", "tools") for p in (self.build / "test" / part).iterdir() if p.is_file())
        for path in [*COPIED, *programs]:
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.build / path, copy / path)
        return copy

    def on(self, cpu, tests):
        """Boots a guest with that CPU and runs tests(here, there)."""
        shutil.rmtree(self.directory, ignore_errors=True)
        (self.directory / "run").mkdir(parents=True, mode=0o700)
        build = self.copy_build()
        here = Here(build, self.directory)
        try:
            self.run(here, build, cpu, tests)
        finally:
            here.end_all()
            shutil.rmtree(self.directory, ignore_errors=True)

    def run(self, here, build, cpu, tests):
        network = None if self.lacking else Network(self.directory, build)
        with Guest(self.lab, self.lab / "guest", cpu, network.options() if network else ()) as guest:
            there = There(guest, build, self.directory)
            there.install([build, PROGRAM])
            if network:
                network.begin(here, there)
            version = there.run([build / "tools/mig", "--version"])
            if version[0]:
                raise Broken(f"mig, as built here, does not run there: {version[2]}")
            kernel = there.shell("uname -r").strip()
            say(f"  {self.clock}  the other host is up: Linux {kernel}, -cpu {cpu}")
            tests(here, there)


def on_max(lab, subjects):
    def tests(here, there):
        v3 = ("--cpu", "x86-64-v3")
        lab.claim("a Python program born here: there and back, three times", python_to_and_fro, here, there, "born-here", v3)
        lab.claim("a Python program born there: here and back, three times", python_to_and_fro, there, here, "born-there", v3)
        lab.claim("a shell's whole tree born here: there and back, three times", to_and_fro, here, there, "tree_interactive", v3, 3)
        lab.claim("a shell's whole tree born there: here and back, three times", to_and_fro, there, here, "tree_interactive", v3, 3)
        lab.claim("AVX-512 registers in use: refused by name", refused, here, there, "thread_registers", v3, ["MIG0100", "AVX-512"], "thread_registers")
        lab.claim("a guard region: refused by name", refused, here, there, "mem_guard", v3, ["MIG0105", "guard region", "6.13"], "mem_guard")
        lab.claim("sealed memory: refused by name", refused, here, there, "mem_sealed", v3, ["MIG0105", "mseal"], "mem_sealed")
        lab.moves("mig move of a process born here: there and back, twice", moved_to_and_fro, here, there, "mem_anonymous", v3)
        lab.moves("mig move of a process born there: here and back, twice", moved_to_and_fro, there, here, "mem_anonymous", v3)
        lab.moves("mig move of threads: there and back, twice", moved_to_and_fro, here, there, "identity_threads", v3)
        lab.moves("mig move of a shell's whole tree: there and back", moved_to_and_fro, here, there, "tree_interactive", v3, 1)
        lab.moves("mig move of a program started without --cpu: refused, it goes on here", move_refused, here, there, "mem_anonymous",
                  ["cpu of there", "avx512f"])
        for name in subjects:
            lab.claim(f"{name}: there and back, twice", to_and_fro, here, there, name, v3)
        lab.suite(there)
    return tests


def on_nehalem(lab, subjects):
    def tests(here, there):
        v2 = ("--cpu", "x86-64-v2")
        lab.claim("started without --cpu: refused with the list of what is missing", refused, here, there, "any-cpu", (),
                  ["MIG0100", "avx2", "avx512f", "--cpu x86-64-v2"])
        lab.claim("started with --cpu x86-64-v2: there and back, three times", python_to_and_fro, here, there, "v2-here", v2)
        lab.claim("born there: here and back, three times", python_to_and_fro, there, here, "v2-there", v2)
        lab.claim("a shell's whole tree: there and back", to_and_fro, here, there, "tree_interactive", v2, 1)
        lab.claim("AVX registers in use: refused by name", refused, here, there, "thread_registers", v2, ["MIG0100", "AVX"], "thread_registers")
        lab.claim("AVX registers in use under a signal handler: refused by name", refused, here, there, "signal_frames", v2, ["MIG0100", "AVX"],
                  "signal_frames")
        lab.moves("mig move: there and back, twice", moved_to_and_fro, here, there, "mem_anonymous", v2)
        for name in subjects:
            lab.claim(f"{name}: there and back, twice", to_and_fro, here, there, name, v2)
        lab.suite(there)
    return tests


def every_subject():
    """Those that a checkpoint does not refuse and that need no help from the runner."""
    sources = sorted((Path(__file__).resolve().parents[1] / "subjects").glob("*.c*"))
    return [s.stem for s in sources if not any(w in s.read_text() for w in ("refused=", "peer=", "drops", "mig-test: user"))]


def main():
    parser = argparse.ArgumentParser(prog="scripts/lab", description="Takes programs to another kernel and another CPU and back.")
    parser.add_argument("--build", required=True)
    parser.add_argument("--lab", required=True)
    parser.add_argument("--cpu", choices=("max", "Nehalem"), action="append", help="only with this CPU")
    parser.add_argument("--subjects", default=",".join(SUBJECTS), help="programs of test/subjects, with commas (empty: none; all: every one)")
    parser.add_argument("--suite", nargs="+", default=[], metavar="PATTERN", help="also run these tests of scripts/test inside the other host")
    parser.add_argument("--only", default="", metavar="WORDS", help="only the tests whose description has these words")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    lock = open(Path(options.lab) / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"another run is under way in {options.lab}")
        return 1
    lab = Lab(options.build, options.lab, options.only, options.suite)
    subjects = every_subject() if options.subjects == "all" else [s for s in options.subjects.split(",") if s]
    tests = {"max": on_max(lab, subjects), "Nehalem": on_nehalem(lab, [s for s in subjects if s not in USE_AVX][:4])}
    say(f"here: Linux {os.uname().release}")
    for cpu in options.cpu or tests:
        try:
            lab.on(cpu, tests[cpu])
        except (Broken, Failed) as error:
            lab.failed.append(f"-cpu {cpu}")
            say(f"  {lab.clock}  FAILED  the other host: {error}")
    say(f"{lab.passed} passed, {len(lab.failed)} failed" + "".join(f"\n  {f}" for f in lab.failed))
    return 1 if lab.failed else 0


sys.exit(main())
