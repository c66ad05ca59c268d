"""What goes wrong: each case ends in one clear sentence with a stable code and the right exit status; the program goes on."""
import json
import os
import random
import shutil
import re
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

from cases.subjects import Subject
from runner.case import Failure, Skip
from runner.job import Job
from runner.main import ORDINARY, Test


class Running:
    """A job of one subject, ready for its first check."""

    def __init__(self, case, subject="mem_anonymous", **more):
        self.case = case
        self.subject = Subject(case, subject, {})
        self.job = Job(case)
        case.later(self.job.release)
        self.job.start(self.subject.argv(), **more)
        self.subject.ready(0, self.job.pid)

    def goes_on(self):
        """It answers, and a checkpoint of it works (again)."""
        self.job.checkpoint()
        self.subject.check(0, self.job.pid)

    def image_of_dead(self):
        return self.job.checkpoint_and_kill()


def expect_error(result, code):
    lines = result.stderr.strip().splitlines()
    if code not in result.stderr:
        raise Failure(f"no {code} in {result.stderr!r}")
    if result.stdout.strip():
        raise Failure(f"data on stdout: {result.stdout!r}")
    if not lines or len(lines) > 4 or "terminate called" in result.stderr:
        raise Failure(f"not one clear sentence: {result.stderr!r}")


def refuses(case, argv, code, status):
    result = case.mig(*argv, expect=status)
    expect_error(result, code)
    return result


def no_such_job(case):
    case.build.need()
    for argv in (("checkpoint", "nobody"), ("checkpoint", "999999"), ("check", "nobody"), ("signal", "nobody", "TERM"), ("log", "nobody")):
        refuses(case, argv, "MIG0001", 1)


def job_gone(case):
    r = Running(case)
    os.kill(r.job.pid, signal.SIGKILL)
    r.job.gone()
    refuses(case, ("checkpoint", r.job.name), "MIG0001", 1)
    if json.loads(case.mig("ls", "--json").stdout)["jobs"]:
        raise Failure("a dead job is listed")
    if list((case.scratch / "run").rglob("*.job")):
        raise Failure("the dead job's file is still there")


def usage(case):
    case.build.need()
    for argv in (("checkpoint",), ("nonsense",), ("restart",), ("run",), ("checkpoint", "x", "--no-such-option")):
        refuses(case, argv, "MIG0005", 2)
    if "Example" not in case.mig("checkpoint", "--help").stdout:
        raise Failure("no example in the help")


def wrong_user(case):
    if os.geteuid():
        raise Skip("needs root to be two users")
    r = Running(case)
    os.chmod(case.scratch / "run", 0o711)
    result = subprocess.run([str(case.build.mig), "checkpoint", str(r.job.pid)], user=65533, group=65533, extra_groups=[], capture_output=True, text=True,
                            cwd="/", env=case.env, timeout=20)
    if result.returncode not in (1, 3) or "MIG00" not in result.stderr:
        raise Failure(f"{result.returncode}: {result.stderr}")
    r.goes_on()


def two_at_once(case):
    """Two checkpoints at once: both succeed one after the other, or one says MIG0003; none harms."""
    r = Running(case, "mem_zero")
    first = case.spawn([case.build.mig, "checkpoint", "job"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    second = case.spawn([case.build.mig, "checkpoint", "job"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = [p.communicate(timeout=60) + (p.returncode,) for p in (first, second)]
    for out, err, code in said:
        if code not in (0, 1) or (code == 1 and b"MIG0003" not in err):
            raise Failure(f"{said}")
    if all(code for *_, code in said):
        raise Failure(f"both failed: {said}")
    r.goes_on()


def mig_killed(case):
    """mig is killed at many moments of a checkpoint: the program goes on, the next checkpoint works, nothing half-written is published."""
    r = Running(case, "mem_zero")
    generator = random.Random(3)
    for _ in range(12):
        process = case.spawn([case.build.mig, "checkpoint", "job"])
        time.sleep(generator.random() * 0.06)
        process.kill()
        process.wait()
    r.goes_on()
    for path in r.job.images.iterdir():
        if path.name.isdigit():
            case.mig("verify", path)
        elif path.name != "latest":
            raise Failure(f"left behind: {path}")


def job_killed(case):
    """The job is killed at many moments of its checkpoint: mig says so, images under their final name are whole."""
    case.build.need()
    generator = random.Random(4)
    for n in range(6):
        case.directory("d")
        for p in (case.scratch / "d").iterdir():
            p.unlink()
        r = Running(case, "mem_zero")
        process = case.spawn([case.build.mig, "checkpoint", "job"], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        time.sleep(generator.random() * 0.05)
        os.kill(r.job.pid, signal.SIGKILL)
        out, err = process.communicate(timeout=60)
        r.job.gone()
        if process.returncode and b"MIG" not in err:
            raise Failure(f"{process.returncode}: {err}")
        for path in r.job.images.iterdir():
            if path.name.isdigit():
                case.mig("verify", path)
            elif path.name != "latest":
                raise Failure(f"left behind: {path}")


def still_running(case):
    r = Running(case)
    image = r.job.checkpoint()
    refuses(case, ("restart", image, "--detach"), "MIG0004", 1)
    r.goes_on()


def unwritable(case):
    """The image directory may not be written (as an ordinary user), or is a file."""
    r = Running(case)
    closed = case.directory("closed")
    closed.chmod(0o500)
    case.file("file", "x")
    for place in (closed / "images", case.scratch / "file"):
        if os.geteuid() == 0 and case.user is None and place.name == "images":
            continue
        refuses(case, ("checkpoint", "job", "-o", place), "MIG0061", 3)
    r.goes_on()


def no_space(case):
    """A full file system: the last image is intact, nothing is left of the new one, the program goes on."""
    if os.geteuid():
        raise Skip("needs root to mount a small tmpfs")
    small = case.directory("small")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m,mode=1777", "none", small], capture_output=True).returncode:
        raise Skip("cannot mount a tmpfs")
    case.later(lambda: subprocess.run(["umount", "-l", small], capture_output=True))
    r = Running(case, "mem_huge")
    refuses(case, ("checkpoint", "job", "-o", small), "MIG0060", 3)
    if any(small.iterdir()):
        raise Failure(f"left behind: {list(small.iterdir())}")
    r.goes_on()


def start_limited(case, blocks, subject_name):
    """A subject under a limit on the size of files, in blocks of 512 bytes."""
    case.build.need()
    subject = Subject(case, subject_name, {})
    job = Job(case)
    process = case.spawn(["/bin/sh", "-c", f'ulimit {blocks}; exec "$0" run --name job --images "$1" -- "$2" "$3"', case.build.mig, job.images, *subject.argv()])
    job.pid = process.pid
    subject.ready(0, job.pid)
    return job, subject


def file_limit(case):
    """A limit on the size of files (RLIMIT_FSIZE) of the program: refused, and no SIGXFSZ ends it."""
    job, subject = start_limited(case, "-f 4000", "mem_huge")
    refuses(case, ("checkpoint", "job"), "MIG0060", 3)
    subject.check(0, job.pid)


def soft_file_limit(case):
    """A soft limit that is too small for the job's own file: the program cannot be saved, but found."""
    job, subject = start_limited(case, "-S -f 8", "mem_anonymous")
    refuses(case, ("checkpoint", "job"), "MIG0060", 3)
    with open(f"/proc/{job.pid}/limits") as f:
        limit = next(line for line in f if line.startswith("Max file size"))
    if limit.split()[3:5] != ["4096", "unlimited"]:
        raise Failure(f"the limit has changed: {limit}")
    subject.check(0, job.pid)


def no_job_file(case):
    """A limit that is too small for the job's own file: the program runs without one."""
    job, subject = start_limited(case, "-f 8", "mem_anonymous")
    refuses(case, ("checkpoint", "job"), "MIG0001", 1)
    subject.check(0, job.pid)


def state_of(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rpartition(")")[2].split()[0]


def stopped_job(case):
    """A job that is stopped (Ctrl-Z) is continued for the length of the checkpoint only, and stopped again after a restart."""
    r = Running(case)
    os.kill(r.job.pid, signal.SIGSTOP)
    case.wait(lambda: state_of(r.job.pid) == "T", "the stop")
    case.mig("checkpoint", "job")
    case.wait(lambda: state_of(r.job.pid) == "T", "the stop after the checkpoint")
    os.kill(r.job.pid, signal.SIGCONT)
    r.goes_on()
    os.kill(r.job.pid, signal.SIGSTOP)
    case.wait(lambda: state_of(r.job.pid) == "T", "the second stop")
    r.job.checkpoint_and_kill()
    r.job.restart()
    case.wait(lambda: state_of(r.job.pid) == "T", "the stop after the restart")
    os.kill(r.job.pid, signal.SIGCONT)
    r.goes_on()


def uninterruptible(case):
    """A thread in a call that no signal interrupts (vfork's parent): a limit, a clear refusal, and the program continues."""
    case.build.need()
    program = case.file("vfork.py", "import subprocess, os, time\n"
                        "open('ready', 'w')\n"
                        "os.posix_spawn('/bin/sleep', ['sleep', '1'], os.environ)\n"
                        "while not os.path.exists('end'): time.sleep(0.01)\n")
    job = Job(case)
    job.start(["/usr/bin/python3", program])
    case.wait(lambda: (case.scratch / "ready").exists(), "ready", pid=job.pid)
    case.mig("checkpoint", "job", expect=(0, 3, 5))
    case.file("end")
    if case.end_status(job.pid):
        raise Failure("the program did not go on")


def no_image(case):
    case.build.need()
    for place in (case.scratch / "nothing", case.directory("empty")):
        refuses(case, ("restart", place), "MIG0006", 1)
        refuses(case, ("verify", place), "MIG0006", 1)


def damaged(case, change, codes=("MIG0080", "MIG0081", "MIG0082")):
    """Changes a copy of an image with change(core file); verify and restart must say so with exit status 6."""
    image = case.scratch / "copy"
    shutil.rmtree(image, ignore_errors=True)
    subprocess.run(["cp", "-a", "--sparse=always", case.image, image], check=True)
    change(image)
    for argv in (("verify", image), ("restart", image, "--detach")):
        result = case.mig(*argv, expect=6)
        if not any(c in result.stderr for c in codes) or "terminate called" in result.stderr:
            raise Failure(f"{argv[0]}: {result.stderr!r}")


def core_of(image):
    return next(image.glob("*.core"))


def write_at(path, offset, data):
    with open(path, "r+b") as f:
        f.seek(offset)
        f.write(data)


def flip(path, offset):
    with open(path, "r+b") as f:
        f.seek(offset)
        byte = f.read(1)
        f.seek(offset)
        f.write(bytes([byte[0] ^ 1]))


def truncated(case):
    case.image = Running(case).image_of_dead()
    size = core_of(case.image).stat().st_size
    for n in (0, 10, 4096, size // 2, size - 1):
        damaged(case, lambda image: os.truncate(core_of(image), n))
    damaged(case, lambda image: core_of(image).unlink())
    manifest = case.image / "manifest.json"
    damaged(case, lambda image: os.truncate(image / manifest.name, manifest.stat().st_size // 2))
    if case.mig("ls", "--json").stdout.count('"pid"'):
        raise Failure("something of the damaged image runs")


def flipped(case):
    """One bit, at many places of every part of the file."""
    case.image = Running(case).image_of_dead()
    core = core_of(case.image)
    size = core.stat().st_size
    generator = random.Random(5)
    places = [0, 4, 16, 4095, 4096, size - 64, size - 1, size - 200] + [generator.randrange(4096, size) for _ in range(12)]
    for place in places:
        damaged(case, lambda image: flip(core_of(image), place))
    text = (case.image / "manifest.json").read_text()
    for place in (text.index('"') + 1, len(text) // 2):
        try:
            damaged(case, lambda image: flip(image / "manifest.json", place), ("MIG0080", "MIG0081", "MIG0082", "MIG0083"))
        except Failure as failure:
            raise Failure(f"byte {place} of the manifest ({text[place - 20:place + 20]!r}): {failure}")


def flipped_large(case):
    """In an image that several threads load."""
    case.image = Running(case, "mem_large").image_of_dead()
    size = core_of(case.image).stat().st_size
    for place in (5000, size // 3, size // 2, size - 100000):
        damaged(case, lambda image: flip(core_of(image), place))


def junk(case):
    """Files that are no image at all."""
    case.image = Running(case).image_of_dead()
    damaged(case, lambda image: core_of(image).write_bytes(os.urandom(100000)))
    damaged(case, lambda image: shutil.copy("/bin/true", core_of(image)))
    damaged(case, lambda image: (image / "manifest.json").write_text("[]"))
    damaged(case, lambda image: (image / "manifest.json").write_text("{}"))


def file_missing(case):
    r = Running(case, "fd_shared")
    image = r.image_of_dead()
    os.rename(case.scratch / "d/file", case.scratch / "d/elsewhere")
    result = refuses(case, ("restart", image, "--detach"), "MIG0101", 3)
    if str(case.scratch / "d/file") not in result.stderr:
        raise Failure(f"the file is not named: {result.stderr}")
    os.rename(case.scratch / "d/elsewhere", case.scratch / "d/file")
    r.job.restart()
    r.subject.check(0, r.job.pid)


def file_moved(case):
    """--map OLD=NEW: files and the current directory are somewhere else."""
    r = Running(case, "directory")
    image = r.image_of_dead()
    os.rename(case.scratch / "d", case.scratch / "new place")
    os.symlink(case.scratch / "new place", case.scratch / "d")
    case.mig("restart", image, "--detach", "--map", f"{case.scratch}/d={case.scratch}/new place")
    pid = r.job.processes()[0]["pid"]
    if os.readlink(f"/proc/{pid}/cwd") != f"{case.scratch}/new place/some where":
        raise Failure(os.readlink(f"/proc/{pid}/cwd"))


WRITER = """
import os, sys, time
out = open('out', 'w', buffering=1)
data = open('in', 'rb')
data.read(4)
for n in range(3): print('line', n, file=out)
open('ready', 'w')
while not os.path.exists('more'): time.sleep(0.005)
print('more', data.read().decode(), file=out)
open('written', 'w')
while not os.path.exists('end'): time.sleep(0.005)
"""


def start_writer(case):
    case.build.need()
    program = case.file("writer.py", WRITER)
    case.file("in", "abcdefgh")
    job = Job(case)
    case.later(job.release)
    job.start(["/usr/bin/python3", program])
    case.wait(lambda: (case.scratch / "ready").exists(), "ready", pid=job.pid)
    return job


def output_cut(case):
    """What was written after the checkpoint is cut off at the restart; the tail is kept beside it and named."""
    job = start_writer(case)
    job.checkpoint()
    case.file("more")
    case.wait(lambda: (case.scratch / "written").exists(), "written", pid=job.pid)
    os.kill(job.pid, signal.SIGKILL)
    job.gone()
    (case.scratch / "more").unlink()
    (case.scratch / "written").unlink()
    result = case.mig("restart", job.image, "--detach")
    job.pid = job.processes()[0]["pid"]
    if (case.scratch / "out").read_text() != "line 0\nline 1\nline 2\n":
        raise Failure(f"not cut back: {(case.scratch / 'out').read_text()!r}")
    kept = [p for p in case.scratch.iterdir() if p.name.startswith("out.") or p.name.startswith(".out.")]
    if not kept or not any("more efgh" in p.read_text() for p in kept):
        raise Failure(f"the tail is not kept: {list(case.scratch.iterdir())}")
    if "out" not in result.stderr:
        raise Failure(f"the decision is not told: {result.stderr!r}")
    case.file("more")
    case.file("end")
    case.end_status(job.pid)
    if (case.scratch / "out").read_text() != "line 0\nline 1\nline 2\nmore efgh\n":
        raise Failure(f"after the end: {(case.scratch / 'out').read_text()!r}")


def file_changed(case):
    """A file that the program reads has changed: refused, and nothing was touched."""
    job = start_writer(case)
    job.checkpoint()
    case.file("more")
    case.wait(lambda: (case.scratch / "written").exists(), "written", pid=job.pid)
    os.kill(job.pid, signal.SIGKILL)
    job.gone()
    before = (case.scratch / "out").read_text()
    case.file("in", "other contents")
    result = refuses(case, ("restart", job.image, "--detach"), "MIG0102", 3)
    if str(case.scratch / "in") not in result.stderr:
        raise Failure(result.stderr)
    if (case.scratch / "out").read_text() != before or len(list(case.scratch.glob("out*"))) != (1 if not (case.scratch / "output").exists() else 2):
        raise Failure("the refused restart touched the output file")


def port_taken(case):
    """Somebody else listens on the port: refused by name; free again, the restart works."""
    r = Running(case, "tcp_listener")
    ports = {int(line.split()[1].rpartition(":")[2], 16) for name in ("tcp",) for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
             if line.split()[3] == "0A" and line.split()[9] in sockets(r.job.pid)}
    image = r.image_of_dead()
    taken = [socket.create_server(("127.0.0.1", p)) for p in ports]
    refuses(case, ("restart", image, "--detach"), "MIG0106", 3)
    for s in taken:
        s.close()
    r.job.restart()
    r.subject.check(0, r.job.pid)


def sockets(pid):
    """Inode numbers of the process's sockets."""
    links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    return {link[8:-1] for link in links if link.startswith("socket:[")}


def limit_lowered(case):
    """A hard limit below what the program had is refused before anything is touched."""
    r = Running(case)
    image = r.image_of_dead()
    low = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
    result = case.mig("restart", image, "--detach", expect=3, preexec_fn=low)
    expect_error(result, "MIG0103")
    if "limit" not in result.stderr:
        raise Failure(result.stderr)
    r.job.restart()
    r.subject.check(0, r.job.pid)


def late(case):
    """What is refused when the descriptors are the program's already is told to who restarts, not to the program."""
    with open(case.own_file("its stderr"), "ab") as its_stderr:
        r = Running(case, "fd_lease", stderr=its_stderr)
    image = r.image_of_dead()
    with open(case.scratch / "d/leased"):
        refuses(case, ("restart", image, "--detach"), "MIG0105", 3)
    if (case.scratch / "its stderr").read_text():
        raise Failure((case.scratch / "its stderr").read_text())
    r.job.restart()
    r.subject.check(0, r.job.pid)


def explain(case):
    """Every code of the table has a page of its own."""
    case.build.need()
    text = (case.source / "image/errors.def").read_text()
    codes = re.findall(r"^MIG_ERROR\(\w+, (\d+),", text, re.M)
    for code in codes[1:]:
        said = case.mig("explain", f"MIG{int(code):04}").stdout
        if len(said) < 80:
            raise Failure(f"MIG{int(code):04}: {said!r}")
    refuses(case, ("explain", "MIG9998"), "MIG0005", 2)


def tests(options):
    user = ORDINARY if os.geteuid() == 0 else None
    as_user = (no_such_job, job_gone, usage, two_at_once, mig_killed, job_killed, still_running, unwritable, file_limit, soft_file_limit, no_job_file, stopped_job, uninterruptible,
               no_image, truncated, flipped, flipped_large, junk, file_missing, file_moved, output_cut, file_changed, port_taken, limit_lowered, late, explain)
    found = [Test(f"error/{f.__name__}", f, user=user, timeout=90) for f in as_user]
    return found + [Test(f"error/{f.__name__}", f, timeout=90) for f in (wrong_user, no_space)]
