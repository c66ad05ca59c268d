"""Jobs whose processes are born and end all the time: no checkpoint fails, nobody is lost or left."""
import os
import random
import re
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path

from cases.subjects import Subject
from runner import host
from runner.case import Failure
from runner.job import Job
from runner.main import Test

LOOP = """n=0
while [ ! -e end ]; do
  /bin/true && x=$(echo a b c | tr a-c x-z | /bin/cat) && [ "$x" = "x y z" ] || { echo "wrong at $n: $x" > wrong; exit 9; }
  n=$((n + 1)); echo $n > count.new; mv count.new count
done
"""


def count(directory):
    path = directory / "count"
    return int(path.read_text() or 0) if path.exists() else 0


def goes_on(case, job, directory):
    before = count(directory)
    case.wait(lambda: count(directory) > before + 2 or (directory / "wrong").exists(), "progress of the loop", pid=job.pid)
    if (directory / "wrong").exists():
        raise Failure((directory / "wrong").read_text())


def shell_loop(case):
    """bash in a loop of commands and pipelines: 20 checkpoints beside it, then three restarts."""
    directory = case.directory("d")
    case.file("d/loop", LOOP)
    job = Job(case)
    case.later(job.release)
    job.start(["/bin/bash", "loop"], options=("--keep", "2"), cwd=directory)
    goes_on(case, job, directory)
    for _ in range(20):
        job.checkpoint()
    goes_on(case, job, directory)
    for _ in range(3):
        job.checkpoint_and_kill()
        job.restart()
        goes_on(case, job, directory)
    case.file("d/end")
    if status := case.end_status(job.pid):
        raise Failure(f"the loop ended with {status}")
    left = [p for p in host.descendants(job.pid) if host.alive(p)]
    if left:
        raise Failure(f"processes {left} are left")


# Many who ask

SAYS_BUSY = "MIG0003"


def ask_often(case, job, until, said):
    """`mig checkpoint` again and again: an image, or another one is under way."""
    while time.monotonic() < until:
        process = subprocess.run([case.build.mig, "checkpoint", job.name], env=case.env, capture_output=True, text=True, timeout=60, **case._as_user())
        said.append(process)


def signal_often(members, until):
    """Plain signals to every member, as a script of the user's would send them."""
    generator = random.Random(5)
    while time.monotonic() < until:
        for pid in members:
            os.kill(pid, 64)
        time.sleep(generator.random() * 0.1)


def expect_whole_images(case, job):
    """Every image is complete, `latest` is the newest, and nothing half-written is left."""
    case.wait(lambda: all(p.name.isdigit() or p.name == "latest" for p in job.images.iterdir()), f"end of half-written images in {job.images}")
    newest = max((int(p.name) for p in job.images.iterdir() if p.name.isdigit()))
    if os.readlink(job.images / "latest") != str(newest):
        raise Failure(f"latest is {os.readlink(job.images / 'latest')}, not {newest}")
    case.mig("verify", job.images / str(newest))


def asked_by_many(case):
    """Several `mig checkpoint` at once, plain signals to all members and checkpoints at intervals, while old images are removed."""
    directory = case.directory("d")
    job = Job(case)
    job.start([case.build.subjects / "tree_births", directory], options=("--keep", "2", "--every", "1s"))
    case.wait(lambda: (directory / "ready.0").exists(), "ready.0", pid=job.pid)
    workers = [pid for pid in host.children(job.pid) if host.alive(pid)]
    time.sleep(0.5)
    workers = [pid for pid in workers if pid in host.children(job.pid)]
    until, said = time.monotonic() + 6, []
    askers = [threading.Thread(target=ask_often, args=(case, job, until, said)) for _ in range(4)]
    askers.append(threading.Thread(target=signal_often, args=((job.pid, *workers), until)))
    for thread in askers:
        thread.start()
    for thread in askers:
        thread.join()
    wrong = [p for p in said if p.returncode and SAYS_BUSY not in p.stderr]
    if wrong or not any(p.returncode == 0 for p in said):
        raise Failure(f"{len(wrong)} of {len(said)} failed: " + "; ".join(p.stderr.strip() for p in wrong[:3]))
    case.file("d/check.0")
    case.wait(lambda: (directory / "result.0").exists(), "result.0", pid=job.pid)
    if (said := (directory / "result.0").read_text()) != "ok":
        raise Failure(said)
    os.kill(job.pid, signal.SIGSTOP)
    expect_whole_images(case, job)


def nothing_pending(pid):
    with open(f"/proc/{pid}/status") as f:
        return all(int(line.split()[1], 16) == 0 for line in f if line.startswith(("SigPnd", "ShdPnd")))


def asked_at_once(case):
    """Plain signals in one burst: those that came before everybody stood still are answered by the same checkpoint."""
    subject, job = Subject(case, "mem_anonymous", {}), Job(case)
    job.start(subject.argv())
    subject.ready(0, job.pid)
    for _ in range(100):
        os.kill(job.pid, 64)
    case.wait(lambda: any(p.name == "latest" for p in job.images.iterdir()), "the first image", pid=job.pid)
    case.wait(lambda: nothing_pending(job.pid), "end of the queue", pid=job.pid)
    job.checkpoint()
    if int(job.image.name) > 20:
        raise Failure(f"{job.image.name} images of 100 signals at once")
    expect_whole_images(case, job)
    subject.check(0, job.pid)
    subject.ready(1, job.pid)
    subject.end(job.pid)


# One that fails

def newest(directory):
    return max((int(p.name) for p in directory.iterdir() if p.name.isdigit()), default=0)


MEGABYTES = 24


class Large:
    """test/tools/large.c: processes with much memory, so that there is time while it is saved."""

    def __init__(self, case, processes=4, megabytes=MEGABYTES, options=()):
        self.case, self.directory, self.job = case, case.directory("d"), Job(case)
        self.job.start([case.build.tools / "large", self.directory, processes, megabytes], options=options)
        self.everybody = range(processes)
        self.await_progress(self.everybody)
        self.members = sorted(self.job.members())
        if len(self.members) != processes:
            raise Failure(f"the members are {self.members}")

    def counts(self, of):
        paths = [self.directory / f"count.{i}" for i in of]
        return [int(path.read_text()) if path.exists() else -1 for path in paths]

    def await_progress(self, of):
        before = self.counts(of)
        self.case.wait(lambda: all(now > then + 1 for now, then in zip(self.counts(of), before)), f"progress of processes {list(of)}")

    def ask(self):
        return self.case.spawn([self.case.build.mig, "checkpoint", self.job.name], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def partial(self):
        """The directory that is being written, and the real pid of who leads."""
        for path in self.job.images.iterdir():
            if found := re.fullmatch(r"\.\d+\.partial-(\d+)", path.name):
                return path, int(found.group(1))
        return None

    def catch_saving(self, ask):
        """Asks for checkpoints until one is seen while a member writes its file: its partial directory, who leads, and what ask() returned."""
        for _ in range(30):
            before, deadline = newest(self.job.images), time.monotonic() + 10
            asked = ask()
            while newest(self.job.images) == before and time.monotonic() < deadline:
                found = self.partial()
                if found and list(found[0].glob("*.core")):
                    return *found, asked
            if asked:
                asked.wait(30)
        raise Failure("no checkpoint was seen while it was written")

    def kill(self, pid):
        os.kill(pid, signal.SIGKILL)
        self.case.wait(lambda: not host.alive(pid), f"end of {pid}")

    def expect_untouched(self, image, others):
        """All others go on, the last image is intact, nothing half-written stays, and the next checkpoint works."""
        self.await_progress(others)
        self.case.mig("verify", image)
        if self.job.checkpoint(timeout=20) == image:
            raise Failure("the next checkpoint has made no image")
        expect_whole_images(self.case, self.job)
        self.await_progress(others)


def expect_told(process):
    out, err = process.communicate(timeout=30)
    if b"MIG0044" not in err or out:
        raise Failure(f"exit status {process.returncode}: {err.decode()!r}")


def member_refused(case):
    """One process has something that cannot be saved, each in turn."""
    large = Large(case, megabytes=4)
    image = large.job.checkpoint()
    for i in large.everybody:
        case.file(f"d/refuse.{i}")
        large.await_progress(large.everybody)
        result = large.job.checkpoint(expect=(3, 5))
        if "MIG00" not in result.stderr:
            raise Failure(result.stderr)
        (large.directory / f"refuse.{i}").unlink()
        large.await_progress(large.everybody)
        large.expect_untouched(image, large.everybody)


def member_without_space(case):
    """One process may not write so much, each in turn."""
    large = Large(case, megabytes=4)
    image = large.job.checkpoint()
    for pid in large.members:
        limits = resource.prlimit(pid, resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
        result = large.job.checkpoint(expect=3)
        if "MIG0060" not in result.stderr:
            raise Failure(result.stderr)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        large.expect_untouched(image, large.everybody)


def member_killed(case):
    """A process is killed while it is saved."""
    large = Large(case)
    image = large.job.checkpoint()
    *_, asked = large.catch_saving(large.ask)
    victim = large.members[-1]
    large.kill(victim)
    if asked.wait(30):
        expect_told(asked)
    survivors = [i for i in large.everybody if i != len(large.members) - 1]
    large.expect_untouched(image, survivors)


def leader_killed(case):
    """The process that leads is killed while all are saved: it was asked by mig, or by a signal."""
    large = Large(case)
    image = large.job.checkpoint()
    _, leader, _ = large.catch_saving(lambda: os.kill(large.members[1], 64))
    if leader != large.members[1]:
        raise Failure(f"{leader} leads, not {large.members[1]}")
    large.kill(leader)
    large.expect_untouched(image, (0, 2, 3))
    image = large.job.image
    _, leader, asked = large.catch_saving(large.ask)
    if leader != large.members[0]:
        raise Failure(f"{leader} leads, not {large.members[0]}")
    large.kill(leader)
    if asked.wait(30):
        expect_told(asked)
    large.expect_untouched(image, (2, 3))


def leader_killed_late(case):
    """The process that leads is killed when all is written and mig makes it durable: the image is whole, or there is none."""
    large = Large(case)
    image = large.job.checkpoint()
    partial, leader, asked = large.catch_saving(large.ask)
    deadline = time.monotonic() + 20
    while partial.exists() and not (partial / "manifest.json").exists() and time.monotonic() < deadline:
        pass
    large.kill(leader)
    out, err = asked.communicate(timeout=30)
    if asked.returncode == 0:
        image = Path(out.decode().strip())
    elif b"MIG0044" not in err:
        raise Failure(f"exit status {asked.returncode}: {err}")
    large.expect_untouched(image, (1, 2, 3))


def first_ends(case):
    """The first process of a job with checkpoints at intervals is killed, and nobody reaps it: they go on."""
    large = Large(case, megabytes=1, options=("--every", "1s", "--keep", "2"))
    for victim in large.members[:2]:
        case.wait(lambda: newest(large.job.images) > 1, "two images")
        large.kill(victim)
        before = newest(large.job.images)
        case.wait(lambda: newest(large.job.images) > before + 2, "images after the end of a process")
    large.await_progress((2, 3))


def other_directory(case):
    """An image that was asked for elsewhere, and then one by signal: it goes to the job's own directory."""
    large, other = Large(case, megabytes=1), case.directory("other")
    large.job.checkpoint("-o", other)
    os.kill(large.members[2], 64)
    case.wait(lambda: newest(large.job.images) == 1, "image in the job's directory")
    if newest(other) != 1:
        raise Failure(f"{newest(other)} images in the other directory")


BOMB = """n=0
while [ ! -e end ]; do
  for i in 1 2 3 4 5 6 7 8 9 10; do (exit $i) & children="$children $!"; done
  sum=0
  for child in $children; do wait $child; sum=$((sum + $?)); done
  children=
  [ $sum = 55 ] || { echo "wrong at $n: $sum" > wrong; exit 9; }
  n=$((n + 1)); echo $n > count.new; mv count.new count
  sleep 0.05
done
"""


def short_lived(case):
    """200 children a second that end at once: 20 checkpoints beside them, within the limit, and a restart."""
    directory = case.directory("d")
    case.file("d/bomb", BOMB)
    job = Job(case)
    case.later(job.release)
    job.start(["/bin/bash", "bomb"], options=("--keep", "2"), cwd=directory)
    goes_on(case, job, directory)
    for _ in range(20):
        job.checkpoint(timeout=20)
    goes_on(case, job, directory)
    job.checkpoint_and_kill()
    job.restart()
    goes_on(case, job, directory)
    case.file("d/end")
    if status := case.end_status(job.pid):
        raise Failure(f"it ended with {status}")


def many(case):
    """A job of 500 sleeping processes."""
    processes = 500
    large = Large(case, processes, 0)
    case.later(large.job.release)
    large.job.checkpoint_and_kill()
    large.job.restart()
    if len(large.job.members()) != processes:
        raise Failure(f"{len(large.job.members())} processes are back")
    large.await_progress(large.everybody)


def births(case):
    """Processes that spawn, vfork, fork, execute and end at once, for ten seconds of checkpoints, and two restarts in the middle."""
    directory = case.directory("d")
    job = Job(case)
    case.later(job.release)
    leaves = directory / "leaves"
    size = lambda: leaves.stat().st_size if leaves.exists() else 0
    job.start([case.build.tools / "restless", directory], options=("--keep", "2"))
    for _ in range(3):
        before = size()
        case.wait(lambda: size() > before + 20, "new leaves", pid=job.pid)
        until = time.monotonic() + 3
        while time.monotonic() < until:
            job.checkpoint(timeout=20)
        job.checkpoint_and_kill()
        job.restart()
    case.file("d/end")
    if status := case.end_status(job.pid):
        raise Failure(f"it ended with {status}; {size()} leaves")


def started_by_the_dead(case):
    """Who has spawned a program ends before that has got through its loader: the program is in the image, and nowhere else."""
    for kind in (0, 1):
        directory, job = case.directory(f"d{kind}"), Job(case, f"job{kind}")
        case.later(job.release)
        job.start([case.build.tools / "late_starter", directory, kind])
        case.wait(lambda: (directory / "ready").exists() and (directory / "late").exists(), "a program without a parent", pid=job.pid)
        late = int((directory / "late").read_text())
        asked = case.spawn([case.build.mig, "checkpoint", "--kill", job.name], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        case.wait(lambda: host.state(job.pid) in (None, "Z") or "futex" in Path(f"/proc/{job.pid}/wchan").read_text(), "a stop of the job")
        case.file(f"d{kind}/go")
        _, error = asked.communicate(timeout=20)
        if asked.returncode:
            raise Failure(error.decode())
        job.gone([late])
        job.restart(image=job.images)
        come = directory / "come"
        case.wait(come.exists, "what was started", pid=job.pid)
        case.file(f"d{kind}/end")
        if status := case.end_status(job.pid):
            raise Failure(f"it ended with {status}")
        if come.read_text() != "x":
            raise Failure("what was started has come twice")


def million_signals(case):
    """Two processes exchange a million signals through a hundred checkpoints: each arrives once."""
    subject, job = Subject(case, "signal_between", {}), Job(case)
    job.start(subject.argv(), options=("--keep", "2"))
    for g in range(20):
        subject.ready(g, job.pid)
        case.file(f"d/check.{g}")
        taken = 0
        while not subject.result(g) or taken < 5:
            job.checkpoint()
            taken += 1
    subject.ready(20, job.pid)
    subject.end(job.pid)


LONG = (million_signals, births)
TESTS = (shell_loop, asked_by_many, asked_at_once, member_refused, member_without_space, member_killed, leader_killed,
         leader_killed_late, first_ends, other_directory, short_lived, started_by_the_dead, many)


def tests(options):
    return [Test(f"consistency/{f.__name__}", f, timeout=120) for f in TESTS] + [
        Test(f"consistency/{f.__name__}", f, timeout=600, long=True) for f in LONG]
