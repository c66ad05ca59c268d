"""Tools that show processes (ps, pgrep, top, lsof, fuser, find and others), inside a job, unmodified: after each restart they say the
same of the job's processes as before."""

from cases.programs import PROGRAMS
from runner.case import Failure
from runner.job import Job
from runner.main import Test, users

GENERATIONS = 3


def sections(path):
    """The kernel lists processes in the order of its own numbers, which is not that of before."""
    parts = (part.split("\n", 1) for part in path.read_text().split("== ")[1:])
    return {name: sorted(text.splitlines()) for name, text in parts}


def look(case, job, n):
    case.file(f"go.{n}")
    case.wait(lambda: (case.scratch / f"done.{n}").exists(), f"done.{n}", 60, job.pid)
    return sections(case.scratch / f"out.{n}")


def same(case):
    job = Job(case)
    case.later(job.release)
    job.start(["/bin/bash", PROGRAMS / "process_tools.bash"])
    before = look(case, job, 0)
    if not before:
        raise Failure(f"it says nothing: {(case.scratch / 'out.0').read_text()}")
    for g in range(1, GENERATIONS + 1):
        job.checkpoint_and_kill()
        job.restart()
        now = look(case, job, g)
        wrong = [f"{name}: {now.get(name)} instead of {text}" for name, text in before.items() if now.get(name) != text]
        if wrong:
            raise Failure(f"after restart {g}: " + "\n".join(wrong))
    case.file("end")
    if status := case.end_status(job.pid):
        raise Failure(f"the shell ended with {status}")


def tests(options):
    return [Test(f"tree/process-tools/{label}", same, user=user, timeout=180) for label, user in users()]
