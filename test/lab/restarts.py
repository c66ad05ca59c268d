"""Checkpoint on one side, restart on the other, and back."""
import json
import time
from pathlib import Path

from sides import Failed
from traveller import Subject, Traveller

PROGRAM = Path(__file__).resolve().parent / "program.py"


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


def python_to_and_fro(first, second, name, options, generations=3):
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


def to_and_fro(first, second, name, options=(), generations=2):
    job = Subject(first, name, options)
    took = []
    try:
        for side in (second, first) * generations:
            job.go(side)
            took.append(f"{job.took:.1f}")
            job.check()
        return f"restarts in {' '.join(took)} s, {job.bytes / 1e6:.1f} MB on the way"
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
