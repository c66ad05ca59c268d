"""Debian's programs that are trees of processes, unmodified: shells, make, interpreters that fork, parallel, script and expect.

A program is a row of the table. It is run once undisturbed, and its output tells how far it has come: under the library it
is checkpointed at each quarter of these lines. `tree/NAME/running`: it goes on, and ends as the undisturbed run did.
`tree/NAME/restarted`: all its processes are killed each time and restarted while others occupy the old numbers.
"""
import glob
import os
import subprocess
from dataclasses import dataclass
from functools import partial
from typing import Callable, Optional

from cases.programs import PROGRAMS, PYTHON, compare, copied, fresh
from runner import host
from runner.case import ORDINARY, Failure, Skip
from runner.job import Job
from runner.main import Test

GENERATIONS = 3


@dataclass
class Tree:
    argv: list
    prepare: Optional[Callable] = None
    products: tuple = ()  # files whose bytes count besides the output
    ordered: bool = True  # the lines of the output come in this order each time
    clean: Optional[Callable] = None


def shared_memory(directory):
    """What a test of multiprocessing may call its shared memory."""
    return str(directory).replace("/", "-").strip("-")


def remove_shared_memory(directory):
    for prefix in ("", "sem."):
        for path in glob.glob(f"/dev/shm/{prefix}{shared_memory(directory)}*"):
            os.unlink(path)


def source_tree(directory):
    subprocess.run([PYTHON, PROGRAMS / "source_tree.py", directory], check=True)


def hashes(directory):
    (directory / "hash.sh").write_text('h=$1; for i in 1 2 3 4 5 6; do h=$(echo $h | sha256sum | cut -c1-16); sleep 0.01; done; echo "$1 $h"\n')
    (directory / "numbers").write_text("".join(f"{n}\n" for n in range(60)))


def body(path):
    """A typescript without its first and last line, which have dates."""
    return b"".join(path.read_bytes().splitlines(True)[1:-2])


TABLE = {
    "bash": Tree(["/bin/bash", PROGRAMS / "pipelines.bash"]),
    "zsh": Tree(["/usr/bin/zsh", "-f", PROGRAMS / "pipelines.zsh"]),
    "dash": Tree(["/bin/dash", PROGRAMS / "pipelines.dash"]),
    "make": Tree(["/usr/bin/make", "-j4"], source_tree, ("**/*.o", "libparts.a", "program", "list", "result", "main.c"), ordered=False),
    "python-multiprocessing": Tree([PYTHON, PROGRAMS / "pool.py", "SHARED"], clean=remove_shared_memory),
    "python-subprocess": Tree([PYTHON, PROGRAMS / "subprocesses.py"]),
    "python-asyncio": Tree([PYTHON, PROGRAMS / "async_subprocesses.py"]),
    "python-futures": Tree([PYTHON, PROGRAMS / "futures.py", "SHARED"], clean=remove_shared_memory),
    "perl": Tree(["/usr/bin/perl", PROGRAMS / "fork.pl"]),
    "ruby": Tree(["/usr/bin/ruby", PROGRAMS / "fork.rb"]),
    "parallel": Tree(["/usr/bin/parallel", "--will-cite", "-j4", "--keep-order", "-a", "numbers", "sh", "hash.sh"], hashes),
    "xargs": Tree(["/usr/bin/xargs", "-P4", "-n1", "-a", "numbers", "sh", "hash.sh"], hashes, ordered=False),
    "script": Tree(["/usr/bin/script", "-qefc", f"/bin/bash {PROGRAMS / 'pipelines.bash'}", "typescript"], products=("typescript",)),
    "expect": Tree(["/usr/bin/expect", PROGRAMS / "dialogue.exp"]),
}


def start(case, job, directory, argv, out):
    """The program's output is one file that all its processes write to; job None: undisturbed."""
    with open(out, "wb") as stdout:
        if job:
            return job.start(argv, cwd=directory, stdout=stdout, stderr=stdout)
        return case.spawn(argv, cwd=directory, stdout=stdout, stderr=stdout)


def lines(path):
    return path.read_bytes().count(b"\n")


def tree(name, kill, case):
    row = TABLE[name]
    if not os.access(row.argv[0], os.X_OK):
        raise Skip(f"{row.argv[0]} is not installed")
    case.build.need()

    def prepared(run):
        directory = fresh(case, run, None)
        if row.prepare:
            row.prepare(directory)
            for path in directory.rglob("*"):
                case.own(path)
        if row.clean:
            case.later(row.clean, directory)
        argv = [copied(case, shared_memory(directory) if a == "SHARED" else a) for a in row.argv]
        return directory, argv, case.own_file(f"{run}.out")

    plain, argv, wanted = prepared("plain")
    process = start(case, None, plain, argv, wanted)
    try:
        if process.wait(60):
            raise Failure(f"the undisturbed run ended with {process.returncode}: {wanted.read_text()[-500:]}")
    except subprocess.TimeoutExpired:
        raise Failure(f"the undisturbed run takes too long: {wanted.read_text()[-500:]}")

    moved, argv, got = prepared("moved")
    job = Job(case)
    case.later(job.release)
    start(case, job, moved, argv, got)
    for g in range(GENERATIONS):
        goal = lines(wanted) * (g + 1) // (GENERATIONS + 1)
        wait_for(case, job, got, lambda: lines(got) >= goal, f"line {goal}")
        if kill:
            job.checkpoint_and_kill()
            job.restart()
        else:
            job.checkpoint()
    wait_for(case, job, got, lambda: not host.alive(job.pid), "end of the program", 60)
    if status := case.end_status(job.pid):
        raise Failure(f"the program ended with {status}: {got.read_text(errors='replace')[-800:]}")
    equal(row, plain, moved, wanted, got)


def wait_for(case, job, got, condition, what, limit=40):
    try:
        case.wait(condition, what, limit, job.pid if "end" not in what else None)
    except Failure as failure:
        tail = got.read_text(errors="replace")[-800:]
        raise Failure(f"{failure}\nits output ends with: {tail}\n{relations(job)}")


def relations(job):
    """The processes of the job as ps shows them, for the report of a failure."""
    pids = ",".join(map(str, job.members()))
    return subprocess.run(["ps", "-o", "pid,ppid,pgid,sid,tty,stat,wchan:20,args", "-p", pids], capture_output=True, text=True).stdout


def equal(row, plain, moved, wanted, got):
    if row.ordered:
        compare(wanted, got)
    elif sorted(wanted.read_bytes().splitlines()) != sorted(got.read_bytes().splitlines()):
        raise Failure(f"other lines than in the undisturbed run: {set(wanted.read_bytes().splitlines()) ^ set(got.read_bytes().splitlines())}")
    for pattern in row.products:
        names = sorted(p.relative_to(plain) for p in plain.glob(pattern))
        if not names or names != sorted(p.relative_to(moved) for p in moved.glob(pattern)):
            raise Failure(f"{pattern}: {names} became {sorted(moved.glob(pattern))}")
        for path in names:
            if path.name != "typescript":
                compare(plain / path, moved / path)
            elif body(plain / path) != body(moved / path):
                raise Failure(f"the typescript differs: {body(moved / path)[-500:]}")


def tests(options):
    user = ORDINARY if os.geteuid() == 0 else None
    return [Test(f"tree/{name}/{label}", partial(tree, name, kill), user=user, timeout=240)
            for name in TABLE for label, kill in (("running", False), ("restarted", True))]
