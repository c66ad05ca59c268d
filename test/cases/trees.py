"""Jobs of several processes that cannot be restarted: all of them or none, one sentence, nothing left behind."""
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from cases.errors import Running, expect_error, flip
from runner import host
from runner.case import Failure
from runner.main import ORDINARY, Test


def image_of_tree(case, subject):
    running = Running(case, subject)
    image = running.image_of_dead()
    return running, image


def run_directory_files(case):
    directory = case.mig("ls", "--json").stdout
    return '"pid"' in directory


def expect_nothing_left(case, spare):
    """Orphans that were ended are the worker's to reap; of the others there is not even a zombie."""
    for pid in host.descendants(os.getpid()):
        if pid in spare:
            continue
        if host.alive(pid):
            raise Failure(f"process {pid} of the failed restart is left: {host.stat_fields(pid)}")
        os.waitpid(pid, 0)
    if run_directory_files(case):
        raise Failure("the failed restart has left a job")


def goes_on(case, running):
    """The same image restarts once nothing stands in the way."""
    running.job.restart()
    running.subject.check(0, running.job.pid)


def damaged_member(case):
    """One bit of one process's memory, each process in turn."""
    running, image = image_of_tree(case, "tree_orphans")
    spare = set(host.descendants(os.getpid()))
    for core in sorted(image.glob("*.core")):
        copy = case.scratch / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        subprocess.run(["cp", "-a", "--sparse=always", image, copy], check=True)
        flip(copy / core.name, 3 * 4096)
        result = case.mig("restart", copy, "--detach", expect=6)
        expect_error(result, "MIG0081")
        if result.stderr.count("MIG0") != 1 or core.name not in result.stderr:
            raise Failure(f"not one sentence about {core.name}: {result.stderr!r}")
        expect_nothing_left(case, spare)
    goes_on(case, running)


def missing_file(case):
    """A file that one process has mapped or open is gone: found before anything is changed."""
    running, image = image_of_tree(case, "tree_orphans")
    spare = set(host.descendants(os.getpid()))
    copy = case.scratch / "copy"
    subprocess.run(["cp", "-a", image, copy], check=True)
    sorted(copy.glob("*.core"))[-1].unlink()
    expect_error(case.mig("restart", copy, "--detach", expect=6), "MIG0080")
    expect_nothing_left(case, spare)


def libraries_of(case, image):
    """The programs and libraries that the processes have mapped."""
    mappings = [m for core in json.loads(case.mig("inspect", image, "--json").stdout)["cores"] for m in core["mappings"]]
    return sorted({m["path"] for m in mappings if m.get("carried")})


def other_libraries(case):
    """Their text stands once in the image, and where other ones are installed every process has it from there; so have the tools."""
    running, image = image_of_tree(case, "tree_orphans")
    cores = sorted(image.glob("*.core"), key=lambda core: core.stat().st_size)
    small, libc = cores[0].stat().st_size, next(Path(path) for path in libraries_of(case, image) if Path(path).name.startswith("libc.so"))
    if len(cores) < 2 or small > libc.stat().st_size / 2:
        raise Failure(f"the smallest of {len(cores)} process files has {small} bytes")
    whole = case.scratch / "whole.core"
    for vpid in (core.stem for core in cores):
        case.mig("core", image, "--process", vpid, "--output", whole)
        if whole.stat().st_blocks * 512 < libc.stat().st_size / 2:
            raise Failure(f"the core of {vpid} does not have the text of libc: {whole.stat().st_blocks * 512} bytes")
        whole.unlink()
    stacks = case.mig("inspect", image, "--stacks").stdout
    if stacks.count(libc.name) < len(cores):
        raise Failure(f"stacks without libc:\n{stacks}")
    nowhere = case.scratch / "nowhere"
    running.job.restart(*(f"--map={path}={nowhere}{path}" for path in libraries_of(case, image)))
    mapped = Path(f"/proc/{running.job.pid}/maps").read_text()
    if libc.name in mapped:
        raise Failure(f"the restart has used the libraries that are here:\n{mapped}")
    running.subject.check(0, running.job.pid)


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(child) for child in f.read().split()]
    except OSError:
        return []


def is_stub(pid):
    with open(f"/proc/{pid}/comm") as f:
        return f.read().strip() == "mig-restart"


def restart_and_kill(case, image, choose):
    """Restarts, and kills choose(first process, its child) while they are made. Returns exit status and stderr."""
    stderr = case.own_file("stderr")
    with open(stderr, "w") as out:
        process = case.spawn([case.build.mig, "restart", image], stderr=out)
    deadline = time.monotonic() + 10
    while not (found := children_of(process.pid)):
        if time.monotonic() > deadline:
            raise Failure("the restart has made no process")
    victim = choose(process.pid, found[0])
    os.kill(victim, signal.SIGSTOP)  # without it nobody gets past the next meeting
    if not is_stub(victim):
        raise Failure("it was restored before it could be stopped")
    host.kill(victim)
    return process.wait(20), Path(stderr).read_text()


def member_dies(case):
    """A process of a restart is killed by somebody: the others notice and end."""
    running, image = image_of_tree(case, "tree_depth")
    spare = set(host.descendants(os.getpid()))
    status, text = restart_and_kill(case, image, lambda first, child: child)
    if status != 3 or text.count("MIG") != 1 or "ended while it was restored" not in text:
        raise Failure(f"exit status {status}: {text!r}")
    expect_nothing_left(case, spare)
    goes_on(case, running)


def first_dies(case):
    """The first process of a restart is killed: the caller learns only that, but nobody goes on."""
    running, image = image_of_tree(case, "tree_depth")
    spare = set(host.descendants(os.getpid()))
    restart_and_kill(case, image, lambda first, child: first)
    case.wait(lambda: not [p for p in host.descendants(os.getpid()) if p not in spare and host.alive(p)], "end of the others", 20)
    expect_nothing_left(case, spare)
    goes_on(case, running)


def tests(options):
    user = ORDINARY if os.geteuid() == 0 else None
    return [Test(f"tree/{f.__name__}", f, user=user, timeout=120) for f in (damaged_member, missing_file, other_libraries, member_dies, first_dies)]
