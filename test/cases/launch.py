"""The ways of starting a program, and the programs that are refused."""
import json
import os
import shutil
import stat
import struct
import subprocess
from functools import partial

from cases.subjects import Subject
from runner.case import Failure, Skip
from runner.job import Job
from runner.main import ORDINARY, Test


def counter(case, name="d"):
    """A shell-free program that lives until its file `end` appears: the subject that holds plain memory."""
    from cases.subjects import Subject
    return Subject(case, "mem_anonymous", {})


def life(case, subject, job):
    """One checkpoint, kill, restart and check of a started job."""
    subject.ready(0, job.pid)
    job.checkpoint_and_kill()
    job.restart()
    subject.check(0, job.pid)
    subject.ready(1, job.pid)
    subject.end(job.pid)


def preload(case):
    """LD_PRELOAD and nothing else: the job is found by its pid, images go to ./JOB.mig."""
    subject, job = counter(case), Job(case)
    case.later(job.release)
    job.start_preloaded(subject.argv())
    subject.ready(0, job.pid)
    old = job.pid
    listed = json.loads(case.mig("ls", "--json").stdout)["jobs"]
    if len(listed) != 1 or listed[0]["processes"][0]["pid"] != old or listed[0]["processes"][0]["vpid"] != old:
        raise Failure(f"`mig ls` shows {listed}")
    job.name = listed[0]["job"]
    image = job.checkpoint_and_kill()
    if image.parent != case.scratch / f"{job.name}.mig":
        raise Failure(f"the image is at {image}")
    job.restart()
    subject.check(0, job.pid)
    subject.ready(1, job.pid)
    subject.end(job.pid)


def by_pid(case):
    """Targets by name, virtual pid and real pid mean the same job, also after a restart."""
    subject, job = counter(case), Job(case, "named")
    case.later(job.release)
    job.start(subject.argv())
    subject.ready(0, job.pid)
    virtual = job.pid
    job.checkpoint_and_kill()
    job.restart()
    for target in ("named", virtual, job.pid):
        case.mig("checkpoint", target)
    if sorted(p.name for p in job.images.iterdir()) != ["1", "2", "3", "4", "latest"]:
        raise Failure(f"images: {list(job.images.iterdir())}")
    subject.check(0, job.pid)


def migrun(case):
    """scripts/migrun finds the library beside itself; status and arguments pass through."""
    case.build.need()
    script = case.source / "scripts/migrun"
    if not os.access(script, os.X_OK):
        raise Skip("scripts/migrun is not there")
    environment = {"MIG_BUILD": str(case.build.root)}
    result = case.run([script, case.build.tools / "hello", "a b", ""], expect=7, env=environment)
    if result.stdout != "[a b][]hello\n":
        raise Failure(repr(result.stdout))
    result = case.run([script, "/usr/bin/env"], env=environment)
    if "libmig.so" not in result.stdout:
        raise Failure("the library is not preloaded")


def status(case):
    """mig run becomes the program: same pid, arguments, exit status, signals."""
    case.build.need()
    result = case.mig("run", "--", case.build.tools / "hello", "--json", "-x", "", expect=7)
    if result.stdout != "[--json][-x][]hello\n" or result.stderr:
        raise Failure(f"{result.stdout!r} {result.stderr!r}")
    process = case.spawn([case.build.mig, "run", "--", "/bin/sh", "-c", "echo $$; kill -TERM $$"], stdout=subprocess.PIPE)
    out = process.communicate(timeout=20)[0]
    if int(out) != process.pid or process.returncode != -15:
        raise Failure(f"{out} {process.pid} {process.returncode}")


def foreground(case):
    """mig restart in the foreground ends as the program ends."""
    subject, job = counter(case), Job(case)
    case.later(job.release)
    job.start(subject.argv())
    subject.ready(0, job.pid)
    job.checkpoint_and_kill()
    process = case.spawn([case.build.mig, "restart", job.image])
    subject.check(0, process.pid)
    subject.ready(1, process.pid)
    case.file("d/end")
    if process.wait(20):
        raise Failure(f"status {process.returncode}")


def keep_and_copies(case):
    """Several images of one job, `latest`, --keep, and two copies restarted from one image at once."""
    subject, job = counter(case), Job(case)
    case.later(job.release)
    job.start(subject.argv(), options=["--keep", "2"])
    subject.ready(0, job.pid)
    for _ in range(3):
        image = job.checkpoint()
    if sorted(p.name for p in job.images.iterdir()) != ["2", "3", "latest"] or image.name != "3":
        raise Failure(f"images: {sorted(p.name for p in job.images.iterdir())}")
    modes = {stat.S_IMODE(os.stat(p).st_mode) for p in image.iterdir()}
    if stat.S_IMODE(os.stat(image).st_mode) != 0o700 or modes != {0o600}:
        raise Failure(f"modes: {modes}")
    case.mig("restart", "--detach", "--new", image)
    case.mig("restart", "--detach", "--new", job.images)
    names = sorted(j["job"] for j in json.loads(case.mig("ls", "--json").stdout)["jobs"])
    if names != ["job", "job-2", "job-3"]:
        raise Failure(f"jobs: {names}")


def every(case):
    """Checkpoints at intervals, without being asked; also after a restart from one of them."""
    subject, job = counter(case), Job(case)
    case.later(job.release)
    job.start(subject.argv(), options=["--every", "1s"])
    subject.ready(0, job.pid)
    for g in range(2):
        before = len(list(job.images.glob("*/manifest.json")))
        case.wait(lambda: len(list(job.images.glob("[0-9]*/manifest.json"))) >= before + 2, "two more images")
        job.checkpoint_and_kill()
        job.restart()
        subject.check(g, job.pid)
        subject.ready(g + 1, job.pid)
    subject.end(job.pid)


def environment(case):
    """--env and --unset, as getenv sees them in the restarted program; both count for later generations too."""
    subject, job = Subject(case, "environment", {}), Job(case)
    case.later(job.release)
    job.start(subject.argv(), env={"GIVEN_STAYS": "1", "GIVEN_CHANGES": "old", "GIVEN_GOES": "there"})
    case.file("d/wanted", "GIVEN_STAYS=1\nGIVEN_CHANGES=a new and longer value\nGIVEN_GOES\nGIVEN_COMES==\n")
    for g, options in enumerate((("--env", "GIVEN_CHANGES=a new and longer value", "--unset", "GIVEN_GOES", "--env", "GIVEN_COMES=="), ())):
        subject.ready(g, job.pid)
        job.checkpoint_and_kill()
        job.restart(*options)
        subject.check(g, job.pid)
    for wrong in ("NAME", "=x"):
        if "MIG" not in case.mig("restart", job.image, "--env", wrong, expect=2).stderr:
            raise Failure(f"--env {wrong}")


def refused(program, code, case):
    """Refused before it is started, with the code, exit status 3 and nothing on stdout."""
    case.build.need()
    path = program(case)
    result = case.mig("run", "--", path, expect=3)
    if f"({code})" not in result.stderr or result.stdout:
        raise Failure(f"no {code}: {result.stderr!r} {result.stdout!r}")


def built(name):
    def path(case):
        case.build.need(case.build.tools / name)
        return case.build.tools / name
    return path


def setuid(case):
    if os.geteuid():
        raise Skip("needs root to make a setuid program")
    copy = case.scratch / "setuid"
    shutil.copy(case.build.tools / "hello", copy)
    os.chown(copy, 65533, 65533)
    os.chmod(copy, 0o4755)
    return copy


def file_capabilities(case):
    if os.geteuid():
        raise Skip("needs root to give a program capabilities")
    copy = case.scratch / "capable"
    shutil.copy(case.build.tools / "hello", copy)
    try:  # struct vfs_cap_data, revision 2, effective: CAP_NET_BIND_SERVICE
        os.setxattr(copy, "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))
    except OSError as error:
        raise Skip(f"security.capability: {error}")
    return copy


def other_elf(bits, machine):
    """The header of a program of another kind is all that mig reads of it."""
    def path(case):
        ident = b"\x7fELF" + bytes([bits, 1, 1, 0]) + bytes(8)
        rest = struct.pack("<HHI", 2, machine, 1) + bytes(48)
        program = case.file("foreign", ident + rest + bytes(4096))
        program.chmod(0o755)
        return program
    return path


def script(interpreter):
    def path(case):
        target = interpreter(case)
        program = case.file("script", f"#!{target} -x\nhello\n")
        program.chmod(0o755)
        return program
    return path


def no_program(case):
    case.build.need()
    for name in ("no-such-program-at-all", case.file("not-executable", "x")):
        result = case.mig("run", "--", name, expect=1)
        if "MIG0024" not in result.stderr:
            raise Failure(result.stderr)


def tests(options):
    user = ORDINARY if os.geteuid() == 0 else None
    found = [Test(f"launch/{f.__name__}", f, user=user) for f in (preload, by_pid, migrun, status, foreground, environment, keep_and_copies, every, no_program)]
    for name, program, code in (("static", built("hello-static"), "MIG0020"), ("static-pie", built("hello-static-pie"), "MIG0020"),
                                ("32-bit", other_elf(1, 3), "MIG0021"), ("aarch64", other_elf(2, 183), "MIG0021"),
                                ("setuid", setuid, "MIG0022"), ("file-capabilities", file_capabilities, "MIG0022"),
                                 ("script-static", script(built("hello-static")), "MIG0023"),
                                ("script-32-bit", script(other_elf(1, 3)), "MIG0023")):
        found.append(Test(f"refused/{name}", partial(refused, program, code), user=user))
    return found
