"""Children stay under the library, however they are born and whatever environment they are given."""
import os
import shutil
from functools import partial

from runner.case import Failure, Skip
from runner.job import Job
from runner.main import ORDINARY, Test

OWN_SIGNALS = 1 << 63 | 1 << 32  # MIG_SIGNAL and the stop signal
SAME, EMPTY, ONE, ANY, SHELL = "same", [], ["ONE=1"], None, "shell"
BY_SHELL = ("PWD=", "OLDPWD=", "SHLVL=", "_=")  # what a shell adds on its own
KINDS = {  # kind of birth: the environment that the new program must see
    "fork": SAME, "clone": SAME, "clone-parent": SAME, "clone-vfork": SAME, "clone-files": SAME, "sys-fork": SAME, "sys-clone": SAME,
    "sys-clone3": SAME, "daemon": SAME, "forkpty": SAME, "vfork": EMPTY, "sys-vfork": EMPTY, "spawn": ONE, "spawnp": EMPTY,
    "system": ANY, "popen": ANY, "wordexp": ANY, "cleared-system": SHELL, "cleared-popen": SHELL, "cleared-wordexp": SHELL,
    "close-all": SAME, "user-namespace": EMPTY, "thread": EMPTY, "chain": EMPTY, "execl": SAME, "execle": ONE, "execlp": SAME, "execv": SAME,
    "execvp": ANY, "execvpe": EMPTY, "execve": EMPTY, "fexecve": ONE, "execveat": EMPTY, "sys-execve": EMPTY,
    "preload": ["ONE=1", "LD_PRELOAD=libm.so.6:libdl.so.2", "MIG_RUN=/nowhere"], "failing": ANY}


class Leaf:
    """What the program at the end of the family wrote."""

    def __init__(self, case, directory, pid=None):
        text = case.wait(lambda: (directory / "leaf").exists() and (directory / "leaf").read_text(), "program at the end", pid=pid)
        first, *self.environment = text.splitlines()
        pid, parent, mask = first.split()
        self.pid, self.parent, self.blocked = int(pid), int(parent), int(mask, 16)


def member(job, pid):
    return next((p for p in job.processes() if p["pid"] == pid), None)


def finish(case, job, directory):
    """The first process of a daemon has ended long since. It is reaped first: a dead member that nobody has reaped counts as one. A main
    thread is a zombie also while another thread executes a program."""
    ended = os.waitid(os.P_PID, job.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    status = case.end_status(job.pid) if ended else None
    case.file(f"{directory.name}/end")
    status = case.end_status(job.pid) if status is None else status
    if status:
        raise Failure(f"the program ended with {status}")
    run = case.scratch / "run"
    case.wait(lambda: not run.exists() or not os.listdir(run), "end of the job's file")


def check_environment(leaf, wanted, given):
    if any(e.startswith("MIG_ADDED") for e in leaf.environment):
        raise Failure(f"the program sees {leaf.environment}")
    if wanted is SAME:
        wanted = given
    if wanted is SHELL:
        leaf.environment, wanted = [e for e in leaf.environment if not e.startswith(BY_SHELL)], EMPTY
    if wanted is not None and sorted(leaf.environment) != sorted(wanted):
        raise Failure(f"its environment is {leaf.environment}, not {wanted}")


def born(kind, case):
    """It is a member, sees its own environment, and the library's signals are open."""
    directory, job = case.directory("d"), Job(case)
    given = {**case.env, "LD_PRELOAD": str(case.build.library), "MIG_NAME": "job", "MIG_IMAGES": str(job.images)}
    job.start([case.build.tools / "family", kind, directory])
    leaf = Leaf(case, directory, job.pid if kind not in ("daemon", "clone-parent", "thread") else None)
    if leaf.blocked & OWN_SIGNALS:
        raise Failure(f"signals {leaf.blocked:x} are blocked")
    check_environment(leaf, KINDS[kind], [f"{k}={v}" for k, v in given.items()])
    entry = case.wait(lambda: member(job, leaf.pid), "member")
    if entry["vpid"] != leaf.pid or (kind != "daemon" and entry["ppid"] != leaf.parent):
        raise Failure(f"{entry}, but it is {leaf.pid} of {leaf.parent}")
    if len(job.processes()) > 3:
        raise Failure(f"members: {job.processes()}")
    finish(case, job, directory)


def script(text, case):
    """Through a shell's own way of starting programs, several deep."""
    directory, job = case.directory("d"), Job(case)
    family = f"'{case.build.tools}/family'"
    job.start(["/bin/sh", "-c", text.format(family=family, directory=f"'{directory}'")])
    leaf = Leaf(case, directory, job.pid)
    check_environment(leaf, SHELL if "env -i" in text else ANY, [])
    case.wait(lambda: member(job, leaf.pid), "member")
    finish(case, job, directory)


def printed(case):
    """Programs that print their environment print what they were given, no more and no less."""
    for argv, wanted in ((["env", "-i", "env"], ""), (["env", "-i", "A=1", "env"], "A=1\n"), (["env", "-i", "A=1", "env", "-i", "B=2", "env", "-i", "C=3", "env"], "C=3\n"),
                         (["env", "-i", "LD_PRELOAD=libm.so.6", "env"], "LD_PRELOAD=libm.so.6\n")):
        result = case.mig("run", "--", "/usr/bin/env", *argv)
        if result.stdout != wanted or result.stderr:
            raise Failure(f"{argv}: {result.stdout!r} {result.stderr!r}")


def large(case):
    """An environment too large for the stack."""
    many = [f"V{n}={n}" for n in range(6000)]
    result = case.mig("run", "--", "/usr/bin/env", "-i", *many, "/usr/bin/env")
    if result.stdout.split() != many:
        raise Failure(result.stdout[:300])


def uncovered(case):
    """A static program runs as it would without: it is no member, and none of its signals are blocked. Its children are members again."""
    directory, job = case.directory("d"), Job(case)
    tools = case.build.tools
    job.start(["/bin/sh", "-c", f"'{tools}/family-static' leaf '{directory}'; '{tools}/family-static' execle '{case.directory('e')}'; exit 5"])
    leaf = Leaf(case, directory, job.pid)
    if leaf.blocked or member(job, leaf.pid):
        raise Failure(f"blocked {leaf.blocked:x}, {member(job, leaf.pid)}")
    case.file("d/end")
    second = Leaf(case, case.scratch / "e", job.pid)
    if second.blocked or member(job, second.pid):
        raise Failure(f"blocked {second.blocked:x}, {member(job, second.pid)}")
    case.file("e/end")
    status = case.end_status(job.pid)
    if status != 5:
        raise Failure(f"the program ended with {status}")


def becomes_uncovered(case):
    """A member that becomes a static program is none any more, and the job's last one takes the job with it."""
    directory, job = case.directory("d"), Job(case)
    job.start(["/bin/sh", "-c", f"exec env -i '{case.build.tools}/family-static' leaf '{directory}'"])
    leaf = Leaf(case, directory, job.pid)
    if leaf.blocked or job.processes():
        raise Failure(f"blocked {leaf.blocked:x}, {job.processes()}")
    finish(case, job, directory)


def through_uncovered(case):
    """A program started by a static one, which was started with no environment at all, is a member and sees none of ours."""
    directory, job = case.directory("d"), Job(case)
    tools = case.build.tools
    job.start(["/bin/sh", "-c", f"env -i /bin/bash -c \"exec -a '{tools}/family' '{tools}/family-static' system '{directory}'\"; exit 0"])
    leaf = Leaf(case, directory, job.pid)
    check_environment(leaf, SHELL, [])
    case.wait(lambda: member(job, leaf.pid), "member")
    finish(case, job, directory)


def setuid(case):
    """A setuid program started by a member works as without the library."""
    if os.geteuid():
        raise Skip("needs root to make a setuid program")
    copy = case.scratch / "setuid"
    shutil.copy("/usr/bin/id", copy)
    os.chown(copy, 65533, 65533)
    os.chmod(copy, 0o4755)
    plain = case.run([copy])
    ours = case.mig("run", "--", "/bin/sh", "-c", f"'{copy}'; exec '{copy}'")
    if "65533" not in plain.stdout or ours.stdout != plain.stdout * 2 or ours.stderr != plain.stderr * 2:
        raise Failure(f"{plain.stdout!r} {ours.stdout!r} {ours.stderr!r}")


def requested(kind, case):
    """Requests that meet a program which executes itself all the time are answered, each by an image, and end nothing."""
    directory, job = case.directory("d"), Job(case)
    job.start([case.build.tools / "family", kind, directory])
    case.wait(lambda: member(job, job.pid), "member", pid=job.pid)
    for _ in range(15):
        job.checkpoint()
    finish(case, job, directory)


def many(case):
    """A thousand short programs in a row, and a burst at once, leave no entries behind."""
    job = Job(case)
    directory = case.directory("d")
    loop = "i=0; while [ $i -lt 300 ]; do /bin/true & /bin/true; i=$((i+1)); done; wait; : > d/done; until [ -e d/end ]; do sleep 0.02; done"
    job.start(["/bin/sh", "-c", loop])
    case.wait(lambda: (directory / "done").exists(), "end of the loop", 60, pid=job.pid)
    case.wait(lambda: len(job.processes()) <= 2, "only member left")
    finish(case, job, directory)


def tests(options):
    user = ORDINARY if os.geteuid() == 0 else None
    found = [Test(f"coverage/{kind}", partial(born, kind), user=user) for kind in KINDS]
    for name, text in (("sh", "{family} leaf {directory}"), ("env-i", "exec env -i /bin/sh -c \"exec env -i {family} leaf {directory}\""),
                       ("pipeline", "true | env -i {family} fork {directory} | cat"), ("background", "({family} execve {directory} &) ; wait; until [ -e d/end ]; do sleep 0.02; done")):
        found.append(Test(f"coverage/script-{name}", partial(script, text), user=user))
    found += [Test(f"coverage/{f.__name__}", f, user=user) for f in (printed, large, uncovered, becomes_uncovered, through_uncovered, setuid, many)]
    found += [Test(f"coverage/requested-{kind}", partial(requested, kind), user=user, timeout=120) for kind in ("loop", "loop-threads")]
    return found
