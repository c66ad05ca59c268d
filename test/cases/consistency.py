"""Jobs whose processes are born and end all the time: no checkpoint fails, nobody is lost or left."""
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


def tests(options):
    return [Test(f"consistency/{f.__name__}", f, timeout=120) for f in (shell_loop,)]
