"""Restarts on kernels that this machine does not run: with another vDSO, and without system calls that are new.

The vDSOs are made up (test/tools/vdso.c); the stub takes one for the kernel's by its option --vdso. Missing system calls
are simulated by a filter that answers ENOSYS (test/tools/without.c).
"""
import json
from functools import partial

from cases.subjects import Subject
from runner.case import Failure
from runner.job import Job
from runner.main import Test, users

NEW_CALLS = ["rseq", "close_range", "mseal", "futex_waitv", "membarrier"]


def stub_words(case, job, *options):
    """As `mig restart` calls it; the stub becomes the program."""
    core = json.loads((job.image / "manifest.json").read_text())["processes"][0]["core"]
    return [case.build.stub, "--image", job.image, "--job", job.name, "--run-dir", case.env["MIG_RUN"], *options, job.image / core]


def other_vdso(kinds, name, case):
    """Every restart meets another vDSO than the one before; 0 is this kernel's own."""
    case.build.need(case.build.tools / "vdso-1.so")
    subject = Subject(case, name, {})
    job = Job(case)
    case.later(job.release)
    job.start(subject.argv())
    for g, kind in enumerate(kinds):
        subject.ready(g, job.pid)
        job.checkpoint_and_kill()
        case.file("d/kind", str(kind))
        vdso = ["--vdso", case.build.tools / f"vdso-{kind}.so"] if kind else []
        job.pid = case.spawn(stub_words(case, job, *vdso)).pid
        subject.check(g, job.pid)
        made_up = [line for line in open(f"/proc/{job.pid}/maps") if line.rstrip().endswith("[vdso]")]
        if len(made_up) != 1:
            raise Failure(f"{len(made_up)} mappings are called [vdso]")
    subject.ready(len(kinds), job.pid)
    subject.end(job.pid)


def without(calls, name, refusal, case):
    """A restart on a kernel that does not know some system calls; refused with these words, or none."""
    subject = Subject(case, name, {})
    job = Job(case)
    case.later(job.release)
    job.start(subject.argv())
    subject.ready(0, job.pid)
    job.checkpoint_and_kill()
    argv = [case.build.tools / "without", ",".join(calls), *stub_words(case, job)]
    if refusal:
        result = case.run(argv, expect=3)
        if refusal not in result.stderr:
            raise Failure(f"the refusal does not say {refusal!r}: {result.stderr}")
        job.restart()
    else:
        job.pid = case.spawn(argv).pid
    subject.check(0, job.pid)
    subject.ready(1, job.pid)
    subject.end(job.pid)


def tests(options):
    found = []
    for label, user in users():
        for name in ("vdso_direct", "vdso", "clocks"):
            kinds = (1, 2, 0, 2, 1) if name == "vdso_direct" else (1, 2, 0)
            found.append(Test(f"kernel/{name}/{label}", partial(other_vdso, kinds, name), user=user))
        found.append(Test(f"kernel/without_rseq/{label}", partial(without, ["rseq"], "thread_local", None), user=user))
        found.append(Test(f"kernel/without_new_calls/{label}", partial(without, NEW_CALLS, "lock_mutexes", None), user=user))
        found.append(Test(f"kernel/without_mseal/{label}", partial(without, ["mseal"], "mem_sealed", "mseal, Linux 6.10"), user=user))
    return found
