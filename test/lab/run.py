"""The lab: a program goes to another kernel and another CPU and back. scripts/lab sets everything up first.

Prints what is done and what was seen; the last line is `N passed, N failed`. Exit status 1 if any failed.
"""
import argparse
import fcntl
import json
import os
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from guest import Broken, Guest
from sides import COPIED, Clock, Failed, Here, Skipped, There, say
from traveller import Subject, Traveller

PROGRAM = Path(__file__).resolve().parent / "program.py"
SUBJECTS = ("vdso_direct", "clocks", "signal_frames", "thread_rseq", "lock_mutexes", "timer_posix", "blocked_timed", "mem_anonymous",
            "process_settings", "epoll")


USE_AVX = ("signal_frames", "thread_registers")


class Lab:
    def __init__(self, build, lab, only=""):
        self.only = only
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

    def copy_build(self):
        """What the two hosts share; a copy, so that the tree may be built again meanwhile."""
        copy = self.directory / "build"
        subjects = (p.relative_to(self.build) for p in (self.build / "test/subjects").iterdir() if p.is_file() and os.access(p, os.X_OK))
        for path in [*COPIED, *subjects]:
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
        with Guest(self.lab, self.lab / "guest", cpu) as guest:
            there = There(guest, build, self.directory)
            there.install([build, PROGRAM])
            version = there.run([build / "tools/mig", "--version"])
            if version[0]:
                raise Broken(f"mig, as built here, does not run there: {version[2]}")
            kernel = there.shell("uname -r").strip()
            say(f"  {self.clock}  the other host is up: Linux {kernel}, -cpu {cpu}")
            tests(here, there)


def python(side, name, options):
    job = Traveller(side, name, ["/usr/bin/python3", str(PROGRAM), "{home}"], options)
    job.question, job.last = 0, None
    return job


def ask(job):
    """Asks the program how it is, and compares with its last answer."""
    side, n = job.side, job.question
    side.shell(f"touch '{job.home}/ask.{n}'")
    side.wait_for(job.home / f"answer.{n}", "answer", 90)
    now, before = json.loads(side.shell(f"cat '{job.home}/answer.{n}'")), job.last
    real = float(side.shell("date +%s.%N"))
    checks = {
        "its three threads compute": all(now["true"]),
        "both timers tick": min(now["ticks"].values()) >= 3,
        "a sleep takes its time": 0.5 <= now["slept"] < 5,
        "time() is this host's": abs(now["time"] - real) < 30,
        "it sees one pid": now["pid"] == now["status_pid"],
        "it runs on this kernel": now["kernel"] == side.shell("uname -r").strip(),
    }
    if before:
        checks |= {
            "the pid stays": now["pid"] == before["pid"],
            "the threads go on": all(a > b for a, b in zip(now["rounds"], before["rounds"])) and now["threads"] >= 5,
            "the monotonic clock goes on": before["monotonic"] < now["monotonic"] < before["monotonic"] + 600,
            "CPU time goes on": now["cpu"] >= before["cpu"],
        }
    wrong = [c for c, holds in checks.items() if not holds]
    if wrong:
        raise Failed(f"on {side.name}: not true: {'; '.join(wrong)}: {now}, before: {before}")
    job.question, job.last = n + 1, now


def to_and_fro(first, second, name, options, generations=3):
    """Three generations are six restarts: one there and one back in each."""
    job = python(first, name, options)
    try:
        time.sleep(2)
        ask(job)
        took = []
        for _ in range(generations):
            for side in (second, first):
                job.go(side)
                took.append(f"{job.took:.1f}")
                ask(job)
        return f"pid {job.last['pid']} all the way, {2 * generations} restarts ({' '.join(took)} s), {job.bytes / 1e6:.1f} MB on the way"
    finally:
        job.end()


def subject_to_and_fro(first, second, name, options=()):
    job = Subject(first, name, options)
    try:
        for side in (second, first, second, first):
            job.go(side)
            job.check()
    finally:
        job.end()


def refused(here, there, name, options, words, program=None):
    """Refused there with these words, and still restartable here."""
    job = Subject(here, program, options) if program else python(here, name, options)
    try:
        time.sleep(1)
        said = job.go(there, expect=3).strip()
        missing = [w for w in words if w not in said]
        if missing:
            raise Failed(f"the refusal does not say {missing}: {said}")
        here.mig("restart", job.image, "--detach")
        job.check() if program else ask(job)
        words = said.splitlines()[-1]
        return words if len(words) < 400 else words[:250] + " ... " + words[-140:]
    finally:
        job.end()


def on_max(lab, subjects):
    def tests(here, there):
        v3 = ("--cpu", "x86-64-v3")
        lab.claim("a Python program born here: there and back, three times", to_and_fro, here, there, "born-here", v3)
        lab.claim("a Python program born there: here and back, three times", to_and_fro, there, here, "born-there", v3)
        lab.claim("AVX-512 registers in use: refused by name", refused, here, there, "thread_registers", v3, ["MIG0100", "AVX-512"], "thread_registers")
        lab.claim("a guard region: refused by name", refused, here, there, "mem_guard", v3, ["MIG0105", "guard region", "6.13"], "mem_guard")
        lab.claim("sealed memory: refused by name", refused, here, there, "mem_sealed", v3, ["MIG0105", "mseal"], "mem_sealed")
        for name in subjects:
            lab.claim(f"{name}: there and back, twice", subject_to_and_fro, here, there, name, v3)
    return tests


def on_nehalem(lab, subjects):
    def tests(here, there):
        v2 = ("--cpu", "x86-64-v2")
        lab.claim("started without --cpu: refused with the list of what is missing", refused, here, there, "any-cpu", (),
                  ["MIG0100", "avx2", "avx512f", "--cpu x86-64-v2"])
        lab.claim("started with --cpu x86-64-v2: there and back, three times", to_and_fro, here, there, "v2-here", v2)
        lab.claim("born there: here and back, three times", to_and_fro, there, here, "v2-there", v2)
        lab.claim("AVX registers in use: refused by name", refused, here, there, "thread_registers", v2, ["MIG0100", "AVX"], "thread_registers")
        lab.claim("AVX registers in use under a signal handler: refused by name", refused, here, there, "signal_frames", v2, ["MIG0100", "AVX"],
                  "signal_frames")
        for name in subjects:
            lab.claim(f"{name}: there and back, twice", subject_to_and_fro, here, there, name, v2)
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
    parser.add_argument("--only", default="", metavar="WORDS", help="only the tests whose description has these words")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    lock = open(Path(options.lab) / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"another run is under way in {options.lab}")
        return 1
    lab = Lab(options.build, options.lab, options.only)
    subjects = every_subject() if options.subjects == "all" else [s for s in options.subjects.split(",") if s]
    tests = {"max": on_max(lab, subjects), "Nehalem": on_nehalem(lab, [s for s in subjects if s not in USE_AVX][:4])}
    say(f"here: Linux {os.uname().release}")
    for cpu in options.cpu or tests:
        try:
            lab.on(cpu, tests[cpu])
        except Broken as error:
            lab.failed.append(f"-cpu {cpu}")
            say(f"  {lab.clock}  FAILED  the other host: {error}")
    say(f"{lab.passed} passed, {len(lab.failed)} failed" + "".join(f"\n  {f}" for f in lab.failed))
    return 1 if lab.failed else 0


sys.exit(main())
