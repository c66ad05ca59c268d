"""Jobs whose processes are born and end all the time: no checkpoint fails, nobody is lost or left."""
import os
import random
import signal
import subprocess
import threading
import time

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


def tests(options):
    return [Test(f"consistency/{f.__name__}", f, timeout=120) for f in (shell_loop, asked_by_many)]
