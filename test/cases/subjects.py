"""Every program of test/subjects, in flavours: undisturbed, as root, as an ordinary user, with other allocators.

The comment line `// mig-test: ...` in a subject's source sets:
    generations=N timeout=S   how often and how long     root | user   only as that user
    refused=MIGnnnn           the checkpoint must be refused with this code, and the program must go on
    peer=tcp                  the runner listens on 127.0.0.1; the port stands in the file `port`
    drops                     the program becomes another user: its image directory is open to all
    allocators                also with jemalloc, tcmalloc and mimalloc preloaded      long   only with --long
    dies=SIGNAL ways=A,B,...  also told, after restarts, to end in each of these ways, by that signal
    shaken                    also with checkpoints one after another and no restart
"""
import glob
import re
import socket
from functools import partial

from runner.case import Failure, Skip
from runner.job import Job
from runner.main import ROOT, Test, users

ALLOCATORS = {"jemalloc": "libjemalloc.so.2", "tcmalloc": "libtcmalloc_minimal.so.4", "mimalloc": "libmimalloc.so.2"}


def attributes(source):
    found = re.search(r"^// mig-test:(.*)$", source.read_text(), re.M)
    words = found.group(1).split() if found else []
    return {w.partition("=")[0]: w.partition("=")[2] or True for w in words}


class Subject:
    """The runner's side of subject.h."""

    def __init__(self, case, name, a):
        self.case, self.name = case, name
        self.program = case.build.subjects / name
        case.build.need(self.program)
        self.directory = case.directory("d")
        self.env = {}
        if a.get("peer") == "tcp":
            self.listener = socket.create_server(("127.0.0.1", 0))
            case.file("d/port", str(self.listener.getsockname()[1]))
        case.later(self.remove_ipc)

    def argv(self):
        return [self.program, self.directory]

    def ready(self, g, pid):
        self.case.wait(lambda: (self.directory / f"ready.{g}").exists(), f"ready.{g}", pid=pid)
        self.result(g)  # a failed setup or a skip is told at once

    def result(self, g):
        path = self.directory / f"result.{g}"
        if not path.exists():
            return False
        text = path.read_text()
        if text.startswith("skip: "):
            raise Skip(text[6:])
        if text != "ok":
            raise Failure(f"generation {g}: {text}")
        return True

    def check(self, g, pid):
        self.case.file(f"d/check.{g}")
        self.case.wait(lambda: self.result(g), f"result.{g}", pid=pid)

    def end(self, pid):
        """It must end by itself with status 0."""
        self.case.file("d/end")
        status = self.case.end_status(pid)
        if status:
            raise Failure(f"the subject ended with {status} instead of 0")

    def remove_ipc(self):
        path = self.directory / "ipc"
        if path.exists():
            for line in path.read_text().splitlines():
                self.case.run(["ipcrm", *line.split()], expect=None)


def undisturbed(name, a, case):
    subject = Subject(case, name, a)
    process = case.spawn(subject.argv())
    for g in range(2):
        subject.ready(g, process.pid)
        subject.check(g, process.pid)
    subject.ready(2, process.pid)
    subject.end(process.pid)


def restarted(name, a, generations, preload, case):
    subject = Subject(case, name, a)
    job = Job(case)
    case.later(job.release)
    if "drops" in a:
        job.images.chmod(0o777)  # the program writes its image as whom it becomes
    job.start(subject.argv(), env={"LD_PRELOAD": preload} if preload else None)
    for g in range(generations):
        subject.ready(g, job.pid)
        job.checkpoint_and_kill()
        job.restart()
        subject.check(g, job.pid)
    subject.ready(generations, job.pid)
    subject.end(job.pid)


def shaken(name, a, case):
    """Checkpoints without a pause while it verifies: most of them meet a thread that enters or leaves a call."""
    subject = Subject(case, name, a)
    job = Job(case)
    job.start(subject.argv(), options=("--keep", "2"))
    for g in range(2):
        subject.ready(g, job.pid)
        case.file(f"d/check.{g}")
        while not subject.result(g):
            try:
                job.checkpoint()
            except Failure:
                subject.result(g)  # it has ended with a failure of its own
                raise
    subject.ready(2, job.pid)
    subject.end(job.pid)


def dies(name, a, way, case):
    """Restarted twice, it is told how to end and does so by the signal it should."""
    subject = Subject(case, name, a)
    job = Job(case)
    case.later(job.release)
    job.start(subject.argv())
    for g in range(2):
        subject.ready(g, job.pid)
        job.checkpoint_and_kill()
        job.restart()
        if g == 1:
            case.file("d/how", way)
        case.file(f"d/check.{g}")
        if g == 0:
            case.wait(lambda: subject.result(0), "result.0", pid=job.pid)
    status = case.end_status(job.pid)
    if status != -int(a["dies"]):
        raise Failure(f"{way}: it ended with {status}, not by signal {a['dies']}")


def refused(name, a, case):
    """The checkpoint is refused with the code, `mig check` says so too, and the program goes on."""
    subject = Subject(case, name, a)
    job = Job(case)
    job.start(subject.argv())
    subject.ready(0, job.pid)
    said = case.mig("check", job.name, expect=3)
    result = job.checkpoint(expect=(3, 5))
    if a["refused"] not in result.stderr:
        raise Failure(f"refused without {a['refused']}: {result.stderr}")
    if any(job.images.iterdir()):
        raise Failure(f"a refused checkpoint left {list(job.images.iterdir())}")
    if not said.stdout.strip():
        raise Failure("`mig check` says nothing")
    subject.check(0, job.pid)
    subject.ready(1, job.pid)
    subject.end(job.pid)


def with_allocator(name, a, generations, library, case):
    found = glob.glob(f"/usr/lib/*/{library}") + glob.glob(f"/usr/lib/{library}")
    if not found:
        raise Skip(f"{library} is not installed")
    restarted(name, a, generations, found[0], case)


def tests(options):
    found = []
    for source in sorted((ROOT / "test/subjects").glob("*.c*")):
        name, a = source.stem, attributes(source)
        timeout = float(a.get("timeout", 60))
        generations = options.generations or int(a.get("generations", 3))
        limit = timeout * max(1, generations / 3)
        found.append(Test(f"subject/{name}/undisturbed", partial(undisturbed, name, a), timeout=timeout, long="long" in a))
        if "refused" in a:
            found.append(Test(f"subject/{name}/refused", partial(refused, name, a), timeout=timeout))
            continue
        for label, user in users():
            if a.get("root" if label == "user" else "user"):
                continue
            found.append(Test(f"subject/{name}/{label}", partial(restarted, name, a, generations, None), user=user,
                              timeout=limit, long="long" in a))
        for way in a["ways"].split(",") if "dies" in a else ():
            found.append(Test(f"subject/{name}/{way}", partial(dies, name, a, way), timeout=timeout))
        if "shaken" in a:
            found.append(Test(f"subject/{name}/shaken", partial(shaken, name, a), timeout=timeout, long="long" in a))
        if "allocators" in a:
            for allocator, library in ALLOCATORS.items():
                found.append(Test(f"subject/{name}/{allocator}", partial(with_allocator, name, a, generations, library), timeout=limit))
    return found
