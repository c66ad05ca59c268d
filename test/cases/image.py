"""The image as files: ELF cores that readelf and gdb open, the manifest, and what the commands show of it."""
import json
import os
import re
import shutil
import subprocess

from cases.errors import Running, core_of
from runner.case import Failure, Skip
from runner.main import ORDINARY, Test


def tool(name, *argv):
    if not shutil.which(name):
        raise Skip(f"{name} is not installed")
    return subprocess.run([name, *map(str, argv)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def readelf(case):
    image = Running(case, "thread_attributes").image_of_dead()
    said = tool("readelf", "-W", "-h", "-l", "-n", core_of(image))
    if said.returncode or "CORE (Core file)" not in said.stdout or re.search("[Ww]arning|[Ee]rror", said.stderr):
        raise Failure(said.stdout[:500] + said.stderr)
    for note in ("NT_PRSTATUS", "NT_FPREGSET", "NT_X86_XSTATE", "NT_FILE", "NT_AUXV", "NT_PRPSINFO", "MIG"):
        if note not in said.stdout:
            raise Failure(f"no {note} note")
    if said.stdout.count("NT_PRSTATUS") != 4:
        raise Failure(f"{said.stdout.count('NT_PRSTATUS')} threads instead of 4")


def gdb(case):
    """Symbolised backtraces of every thread out of the image."""
    r = Running(case, "blocked_sync")
    image = r.image_of_dead()
    said = tool("gdb", "-nx", r.subject.program, core_of(image), "-batch", "-ex", "thread apply all bt", "-ex", "print generation")
    for name in ("main ", "blocked_thread", "block_semaphore", "block_mutex", "block_pause", "$1 = 0"):
        if name not in said.stdout:
            raise Failure(f"no {name} in the backtraces:\n{said.stdout[-2500:]}{said.stderr[-500:]}")


def size(case):
    """The file is about as large as what is resident and not zero: terabytes of reserve and a gigabyte of zeros cost nothing."""
    r = Running(case, "mem_reserve")
    image = r.job.checkpoint()
    if core_of(image).stat().st_blocks * 512 > 4 << 20:
        raise Failure(f"{core_of(image).stat().st_blocks * 512} bytes")
    case.mig("verify", image)


def zero(case):
    r = Running(case, "mem_zero")
    image = r.job.checkpoint()
    used = sum(f.stat().st_blocks * 512 for f in image.iterdir())
    if used > (2 << 20) + (4 << 20):
        raise Failure(f"{used} bytes on disk for 2 MiB of data")


def commands(case):
    """inspect, verify, core, diff, log and their JSON."""
    r = Running(case, "thread_attributes")
    first = r.job.checkpoint()
    second = r.job.checkpoint()
    case.mig("verify", first)
    said = json.loads(case.mig("inspect", first, "--json").stdout)
    if said.get("schema_version") != 1:
        raise Failure(f"inspect --json: {str(said)[:300]}")
    text = case.mig("inspect", first).stdout
    for word in ("thread_attributes", str(r.job.pid)):
        if word not in text:
            raise Failure(f"no {word} in `mig inspect`:\n{text}")
    stacks = case.mig("inspect", first, "--stacks").stdout
    if "worker" not in stacks or "main" not in stacks:
        raise Failure(f"`mig inspect --stacks`:\n{stacks[-1500:]}")
    case.mig("core", first, "-o", case.scratch / "a.core")
    if "CORE (Core file)" not in tool("readelf", "-h", case.scratch / "a.core").stdout:
        raise Failure("`mig core` made no core")
    case.mig("diff", first, second, expect=(0, 1))
    case.mig("log", first)
    case.mig("log", r.job.name)
    case.mig("inspect", r.job.images)  # its latest
    report = json.loads(case.mig("checkpoint", "job", "--json").stdout)
    if not {"schema_version", "image", "stopped_ms", "total_ms", "bytes", "processes"} <= set(report):
        raise Failure(str(report))


def manifest(case):
    image = Running(case).job.checkpoint()
    m = json.loads((image / "manifest.json").read_text())
    text = json.dumps(m)
    for word in (os.uname().nodename, os.uname().release, "x86_64", "job"):
        if word not in text:
            raise Failure(f"no {word} in the manifest: {text[:600]}")


def documentation(case):
    """Manual pages and completion come from the table of commands."""
    case.build.need(case.build.root / "tools/mig.1", case.build.root / "tools/mig-checkpoint.1")
    for shell in ("bash", "zsh"):
        script = case.mig("generate", "completion", shell).stdout
        if shutil.which(shell) and case.run([shell, "-n", case.file(f"completion.{shell}", script)], expect=None).returncode:
            raise Failure(f"{shell} does not take its completion")
    if shutil.which("man"):
        said = tool("man", "--warnings", "-l", "-P", "cat", case.build.root / "tools/mig-checkpoint.1")
        if "--kill" not in said.stdout.replace("\u2010", "-") or said.stderr.strip():
            raise Failure(said.stdout[-500:] + said.stderr)


def doctor(case):
    case.build.need()
    said = case.mig("doctor", expect=(0, 3))
    if len(said.stdout) < 100:
        raise Failure(said.stdout)
    json.loads(case.mig("doctor", "--json", expect=(0, 3)).stdout)


def check(case):
    """`mig check` of a job that will move: exit 0, nothing blocked, the descriptors are listed; and nothing was written."""
    r = Running(case, "fd_files")
    said = case.mig("check", "job")
    if "file0" not in said.stdout or "blocked" in said.stdout:
        raise Failure(said.stdout)
    if any(r.job.images.iterdir()):
        raise Failure("a check wrote something")
    if json.loads(case.mig("check", "job", "--json").stdout)["schema_version"] != 1:
        raise Failure("--json")


def fake_ssh(case, mig=True):
    """An ssh that runs the command here; where `mig` is installed or not."""
    directory = case.directory("bin")
    ssh = case.file("bin/ssh", f"""#!/bin/sh
echo "$@" >> {case.scratch}/bin/asked
while [ "$1" != -- ]; do shift; done
[ "$2" = known ] || {{ echo "ssh: Could not resolve hostname $2" >&2; exit 255; }}
shift 2
exec env PATH={case.build.mig.parent if mig else "/nowhere"} "$@"
""")
    ssh.chmod(0o755)
    return {"PATH": f"{directory}:{os.environ['PATH']}"}


def other_host(case):
    """`mig doctor HOST` and `mig check --to HOST` ask the other host's mig over ssh."""
    r = Running(case, "fd_files")
    env = fake_ssh(case)
    said = case.mig("doctor", "known", env=env, expect=(0, 3)).stdout
    if said.splitlines()[2:4] != case.mig("doctor", expect=(0, 3)).stdout.splitlines()[2:4]:
        raise Failure(said)
    case.mig("check", "job", "--to", "known", env=env)
    if "mig doctor --json" not in (case.scratch / "bin/asked").read_text():
        raise Failure((case.scratch / "bin/asked").read_text())
    for host, env in (("unknown", env), ("known", fake_ssh(case, mig=False))):
        for words in (("doctor", host), ("check", "job", "--to", host)):
            result = case.mig(*words, env=env, expect=None)
            if not result.returncode or f"host {host}" not in result.stderr or "MIG" not in result.stderr:
                raise Failure(f"{words}: {result.returncode} {result.stderr!r}")
    case.mig("doctor", "--", "-oProxyCommand=true", expect=2)
    r.goes_on()


def tests(options):
    user = ORDINARY if os.geteuid() == 0 else None
    return [Test(f"image/{f.__name__}", f, user=user, timeout=90) for f in (readelf, gdb, size, zero, commands, manifest, documentation, doctor, check, other_host)]
