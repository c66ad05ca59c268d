"""mig move: from one host to another and back. The hosts are, first, two run directories with an `ssh` that runs the command
here; then two network namespaces with sshd on their addresses and the ssh of the system between them."""
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from cases.subjects import Subject
from runner import host
from runner.case import Failure, Skip
from runner.job import Job
from runner.main import ORDINARY, Test, users

# `ssh [options] -- HOST COMMAND...`: the host's run directory is $HOSTS/HOST/run, and what stands in $HOSTS/HOST/around is put
# around the command. The proxy in between passes on what both say, and breaks where it is told.
SSH = r"""#!/usr/bin/python3 -IB
import os, sys
words = sys.argv[sys.argv.index("--") + 1:]
hosts, name, command = os.environ["HOSTS"], words[0], words[1:]
place = os.path.join(hosts, name)
if not os.path.isdir(place) or os.path.exists(os.path.join(place, "unreachable")):
    sys.stderr.write("ssh: cannot reach " + name + "\n")
    sys.exit(255)
os.environ.update(MIG_RUN=os.path.join(place, "run"), PATH=os.path.join(place, "bin") + ":/usr/bin:/bin")
open(os.path.join(hosts, "asked"), "w")
around = os.path.join(place, "around")
if os.path.exists(around):
    command = [around, *command]
try:
    os.execvp(command[0], command)
except FileNotFoundError:
    sys.exit(127)
"""

# Passes frames on in both directions; kills itself (and so the link) before or after the frame that is named, once. Or it kills
# a process of the held restart then, the first or the last.
CUT = r"""#!/usr/bin/python3 -IB
import os, struct, subprocess, sys, threading
broken = threading.Event()
place = os.path.dirname(os.path.abspath(sys.argv[0]))
try:
    side, kind, when = open(os.path.join(place, "cut")).read().split()
    os.unlink(os.path.join(place, "cut"))
except FileNotFoundError:
    os.execvp(sys.argv[1], sys.argv[1:])
kind = int(kind)
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
def exactly(fd, n):
    data = b""
    while len(data) < n:
        more = os.read(fd, n - len(data))
        if not more:
            return None
        data += more
    return data
def parent(pid):
    return int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1])
def below(pid):
    while pid > 1 and pid != child.pid:
        pid = parent(pid)
    return pid > 1
def stubs():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/exe").endswith("/mig-restart") and below(int(pid)):
                yield int(pid)
        except OSError:
            pass
def end():
    if when == "kill":
        child.kill()
    if when == "vanish":
        open(os.path.join(place, "unreachable"), "w")
    os.kill(os.getpid(), 9)
def pump(source, target, mine):
    while True:
        header = exactly(source, 24)
        if header is None:
            break
        magic, type_, file, size, checksum = struct.unpack("<IIIIQ", header)
        body = exactly(source, size)
        hit = mine and type_ == kind
        if hit and when in ("before", "kill", "vanish"):
            end()
        if hit and when in ("first", "last"):
            os.kill({"first": min, "last": max}[when](stubs()), 9)
        if broken.is_set():
            return
        if hit and when == "after":
            broken.set()
        os.write(target, header)
        while body:
            body = body[os.write(target, body):]
        if hit and when == "after":
            end()
    os.close(target)
t = threading.Thread(target=pump, args=(0, child.stdin.fileno(), side == "to"))
t.daemon = True
t.start()
pump(child.stdout.fileno(), 1, side == "from")
sys.exit(child.wait())
"""

HELLO, OPEN, DATA, CLOSE, RESTORE, RESTORED, GO, RUNNING, DONE = range(1, 10)


class Hosts:
    """Two hosts, `a` and `b`, and a job that begins on `a`."""

    def __init__(self, case, subject="mem_anonymous", ssh=SSH):
        self.case = case
        case.build.need()
        self.top = case.directory("hosts")
        self.bin = case.directory("bin")
        if ssh:
            case.file("bin/ssh", ssh).chmod(0o755)
        for name in "ab":
            for part in (name, f"{name}/run", f"{name}/bin"):
                case.directory(f"hosts/{part}")
            (self.top / name / "bin/mig").symlink_to(case.build.mig)
        case.env.update(HOSTS=str(self.top), PATH=f"{self.bin}:{os.environ['PATH']}")
        self.on("a")
        self.subject = Subject(case, subject, {})
        self.job = Job(case)
        case.later(self.job.release)
        case.later(lambda: self.on("a"))

    def start(self, **more):
        self.job.start(self.subject.argv(), **more)
        self.subject.ready(0, self.job.pid)
        self.pids = self.jobs("a")["job"]
        return self

    def on(self, name):
        """Commands are given on this host from now on."""
        self.here = name
        self.case.env["MIG_RUN"] = str(self.top / name / "run")

    def around(self, name, text):
        path = self.top / name / "around"
        path.unlink(missing_ok=True)
        self.case.file(f"hosts/{name}/around", text).chmod(0o755)

    def cut(self, name, side, kind, when):
        self.around(name, CUT)
        self.case.file(f"hosts/{name}/cut", f"{side} {kind} {when}")

    def jobs(self, name):
        listing = json.loads(self.case.mig("ls", "--json", env={"MIG_RUN": str(self.top / name / "run")}).stdout)
        return {j["job"]: [p["pid"] for p in j["processes"]] for j in listing["jobs"]}

    def move(self, to, *options, expect=0, **more):
        result = self.case.mig("move", "job", to, *options, expect=expect, timeout=60, **more)
        if expect == 0:
            self.arrived(to)
        return result

    def arrived(self, to):
        self.job.gone()
        if self.jobs(self.here):
            raise Failure(f"the job is still on {self.here}")
        pids = self.jobs(to).get("job")
        if not pids or not host.alive(pids[0]):
            raise Failure(f"the job does not run on {to}: {self.jobs(to)}{self.job.deaths()}")
        self.job.pid, self.pids = pids[0], pids
        self.on(to)

    def stays(self, code=None, result=None):
        """It runs here and nowhere else, and can be checkpointed; the failure was told in a sentence."""
        if result is not None:
            if code not in result.stderr or "terminate" in result.stderr or result.stdout.strip():
                raise Failure(f"no {code}: {result.stdout!r} {result.stderr!r}")
        if self.jobs(self.here).get("job") != self.pids:
            raise Failure(f"the job is not here: {self.jobs(self.here)} {self.pids}")
        self.nothing_on("b" if self.here == "a" else "a")
        self.job.checkpoint()
        self.subject.check(0, self.job.pid)
        self.subject.ready(1, self.job.pid)

    def nothing_on(self, name):
        self.case.wait(lambda: not self.leftovers(name), f"tidy host {name} (there is {self.leftovers(name)})", 5)
        self.case.wait(lambda: len(self.copies()) == len(self.pids), f"single copy of the program: {self.copies()}", 5)

    def leftovers(self, name):
        try:
            return os.listdir(self.top / name / "run")
        except FileNotFoundError:
            return []

    def copies(self):
        """Processes that are the program, or are about to be."""
        found = []
        for pid in host.descendants(os.getpid()):
            try:
                exe = os.readlink(f"/proc/{pid}/exe")
            except OSError:
                continue
            if host.alive(pid) and Path(exe).name in (self.subject.name, "mig-restart"):
                found.append(pid)
        return found

    def ends(self):
        """Every process of it, so that the next job can have the subject's directory."""
        self.case.file("d/end")
        self.case.wait(lambda: not self.copies(), f"end of the job: {self.copies()}", 20)

    def tidy(self):
        """After the end: nothing of a move is left on either host."""
        self.case.wait(lambda: not self.leftovers("a") and not self.leftovers("b"),
                       f"tidy hosts: {self.leftovers('a')} {self.leftovers('b')}", 5)


def there_and_back(case, subject="mem_anonymous", hosts=Hosts):
    """Three times there and back, and the subject verifies itself after each move."""
    h = hosts(case, subject).start()
    for g in range(6):
        h.subject.ready(g, h.job.pid)
        h.move("b" if h.here == "a" else "a")
        h.subject.check(g, h.job.pid)
    h.subject.ready(6, h.job.pid)
    h.subject.end(h.job.pid)
    h.tidy()


def detached(case):
    """On the other host the job is in a session of its own, and none of its descriptors leads to ssh."""
    h = Hosts(case).start()
    said = json.loads(h.move("b", "--json").stdout)
    if said["schema_version"] != 1 or said["pid"] != h.job.pid or said["host"] != "b" or said["bytes"] < 1 << 20:
        raise Failure(str(said))
    if os.getsid(h.job.pid) != h.job.pid:
        raise Failure(f"session {os.getsid(h.job.pid)}")
    for fd in os.listdir(f"/proc/{h.job.pid}/fd"):
        target = os.readlink(f"/proc/{h.job.pid}/fd/{fd}")
        if "pipe" in target or "socket" in target:
            raise Failure(f"descriptor {fd} is {target}")


def cut(case, side, kind, when, subject="mem_anonymous"):
    """The link breaks at one point: the job goes on here, every process of it; then it moves for good."""
    h = Hosts(case, subject).start()
    h.cut("b", side, kind, when)
    h.stays("MIG0110", h.move("b", expect=7))
    h.move("b")
    h.subject.check(1, h.job.pid)


def answer_lost(case, subject="mem_anonymous"):
    """The link breaks after the word to go: mig asks again, and lets go here."""
    h = Hosts(case, subject).start()
    h.cut("b", "from", RUNNING, "before")
    said = h.move("b")
    if "asking b" not in said.stderr:
        raise Failure(f"it did not ask: {said.stderr!r}")
    h.subject.check(0, h.job.pid)
    h.subject.ready(1, h.job.pid)
    h.subject.end(h.job.pid)
    h.tidy()


def word_lost(case):
    """The link breaks before the word to go has arrived: mig asks, hears that it never ran there, and the job goes on here."""
    h = Hosts(case).start()
    h.cut("b", "to", GO, "before")
    h.stays("MIG0110", h.move("b", expect=7))


def member_killed(case):
    """A process of the held restart is killed, the first or another: all of it ends, and the whole tree goes on here. Which failure is told
    depends on how far the others are when they notice."""
    for which in ("last", "first"):
        h = Hosts(case, "tree_depth").start()
        h.cut("b", "to", GO, which)
        h.stays("(MIG010", h.move("b", expect=3))
        h.ends()
        shutil.rmtree(h.top), shutil.rmtree(h.bin), shutil.rmtree(h.subject.directory)


PIPELINE = """i=0; while [ ! -e end ]; do echo $((i++)); sleep 0.01; done | cat | while read n; do echo $n >> out; done; exit 5"""


class Pipeline(Hosts):
    """A pipeline of bash in place of a subject: each number that goes in must come out once, in order."""

    def start(self):
        self.job.start(["/bin/bash", "-c", PIPELINE])
        self.grows()
        return self

    def numbers(self):
        path = self.case.scratch / "out"
        return [int(n) for n in path.read_text().split()] if path.exists() else []

    def grows(self):
        before = len(self.numbers())
        self.case.wait(lambda: len(self.numbers()) > before + 5, "numbers that come out", 20)

    def ends(self):
        self.case.file("end")
        status = self.case.end_status(self.job.pid)
        n = self.numbers()
        if status != 5 or n != list(range(len(n))):
            raise Failure(f"status {status}, {n}")


def pipeline(case):
    h = Pipeline(case).start()
    for _ in range(4):
        h.move("b" if h.here == "a" else "a")
        h.grows()
    h.ends()
    h.tidy()


def leader_killed(case):
    """The job is handed over, nobody knows whether it runs there, and the process that waits for the answer is killed: the others still
    wait, and end when the answer comes."""
    h = Pipeline(case).start()
    h.cut("b", "from", RUNNING, "vanish")
    process = case.spawn([case.build.mig, "move", "job", "b"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    case.wait(lambda: (h.top / "b/unreachable").exists(), "broken link", 20)
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    here = h.jobs("a")["job"]
    os.kill(h.job.pid, signal.SIGKILL)
    os.kill(h.jobs("b")["job"][0], signal.SIGSTOP)
    case.wait(lambda: len(h.jobs("a")["job"]) == len(here) - 1, "the leader's end", 5)
    time.sleep(0.5)
    waiting = h.jobs("a")["job"]
    for _ in range(20):  # each looks every 50 ms whether the others live
        for pid in waiting:
            if (call := call_of(pid)) not in ("futex", "running"):
                raise Failure(f"process {pid} runs here: {call}")
        time.sleep(0.01)
    os.kill(h.jobs("b")["job"][0], signal.SIGCONT)
    (h.top / "b/unreachable").unlink()
    h.move("b")
    h.grows()
    h.ends()


def taken(case, subject, code):
    """Both hosts see a lock, or a unix socket with a name, that the tree holds: it is refused there, and the whole tree goes on here."""
    h = Hosts(case, subject).start()
    h.stays(code, h.move("b", expect=3))


def call_of(pid):
    """The system call that a process sits in, if it is one that only the library uses there."""
    number = Path(f"/proc/{pid}/syscall").read_text().split()[0]
    return "futex" if number == "202" else number


def receiver_killed(case, subject="mem_anonymous"):
    """`mig receive` is killed while the restart is held, or at the word to go: never two, never none."""
    for side, kind in (("to", RESTORE), ("from", RESTORED), ("to", GO)):
        for part in (case.scratch / "d").glob("*"):
            part.unlink()
        h = Hosts(case, subject).start()
        h.cut("b", side, kind, "kill")
        h.stays("MIG0110", h.move("b", expect=7))
        h.ends()
        shutil.rmtree(h.top), shutil.rmtree(h.bin)


def unknown(case):
    """The other host cannot be asked after the word to go: the job stays stopped here until it can. No second one runs."""
    h = Hosts(case).start()
    h.cut("b", "from", RUNNING, "vanish")
    process = case.spawn([case.build.mig, "move", "job", "b"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    case.wait(lambda: (h.top / "b/unreachable").exists(), "broken link", 20)
    os.kill(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    if process.returncode != 7 or b"not known" not in err:
        raise Failure(f"{process.returncode}: {err}")
    before = host.stat_fields(h.job.pid)[11:13]
    refused = case.mig("checkpoint", "job", expect=1)
    if "MIG0003" not in refused.stderr or "handed over" not in refused.stderr:
        raise Failure(refused.stderr)
    time.sleep(0.5)
    if host.stat_fields(h.job.pid)[11:13] != before or (h.subject.directory / "ready.1").exists():
        raise Failure("it runs here")
    (h.top / "b/unreachable").unlink()
    h.move("b")
    h.subject.check(0, h.job.pid)


def taken_back(case):
    """The other host is gone for good: the user lets the job go on here."""
    h = Hosts(case).start()
    h.cut("b", "to", GO, "vanish")
    process = case.spawn([case.build.mig, "move", "job", "b"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    case.wait(lambda: (h.top / "b/unreachable").exists(), "broken link", 20)
    process.kill()
    process.communicate()
    time.sleep(0.5)
    refused = case.mig("checkpoint", "job", expect=1)
    if "handed over" not in refused.stderr:
        raise Failure(refused.stderr)
    case.mig("move", "job", "b", "--take-back")
    h.stays()


def mig_killed(case):
    """mig itself is killed at many moments: the job is on one of the hosts, once, and the next move works."""
    h = Hosts(case).start()
    for g in range(10):
        process = case.spawn([case.build.mig, "move", "job", "b"], stdout=subprocess.DEVNULL)
        time.sleep(0.02 * g)
        process.kill()
        process.wait()
        case.wait(lambda: not [p for p in host.descendants(os.getpid()) if host.alive(p) and is_command(p)], "end of mig receive", 30)
        here, there = h.jobs("a"), h.jobs("b")
        if there and here and not stopped_for_good(case):
            raise Failure(f"two: {here} {there}")
        if there:
            if here:
                case.mig("move", "job", "b", timeout=60)
            h.arrived("b")
            break
        case.wait(lambda: len(h.copies()) == 1, "single copy", 5)
    if h.here == "a":
        case.mig("move", "job", "b", expect=(0, 7), timeout=60)
        if h.jobs("b"):
            h.arrived("b")
    h.subject.check(0, h.job.pid)


def is_command(pid):
    try:
        return Path(os.readlink(f"/proc/{pid}/exe")).name == "mig"
    except OSError:
        return False


def stopped_for_good(case):
    return "MIG0003" in case.mig("checkpoint", "job", expect=(0, 1)).stderr


def killed_in_the_middle(case):
    """mig is killed while the image is under way: the job goes on."""
    h = Hosts(case, "mem_huge").start()
    h.around("b", "#!/usr/bin/python3 -IB\nimport subprocess, sys, os\n"
                  "p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)\nn = 0\n"
                  "while n < 300000:\n  d = os.read(0, 65536)\n  n += len(d)\n  p.stdin.write(d)\n  p.stdin.flush()\n"
                  f"open('{h.top}/half', 'w')\n"
                  "while os.path.exists(sys.argv[0]) and os.getppid() > 1 and os.read(0, 0) == b'' and not os.path.exists(sys.argv[0] + '.end'): __import__('time').sleep(0.01)\n")
    process = case.spawn([case.build.mig, "move", "job", "b"], stdout=subprocess.DEVNULL)
    case.wait(lambda: (h.top / "half").exists(), "the first half", 20)
    process.kill()
    process.wait()
    (h.top / "b/around.end").touch()
    h.stays()
    if h.leftovers("a") != ["job.job"]:
        raise Failure(f"left behind: {h.leftovers('a')}")


def no_memory(case):
    """The image does not fit there (a limit on the size of files holds for memory files too); nor does what is restored from it."""
    h = Hosts(case, "mem_huge").start()
    h.around("b", '#!/bin/sh\nulimit -f 2000; exec "$@"\n')
    h.stays("MIG0104", h.move("b", expect=3))
    h.around("b", '#!/bin/sh\nulimit -v 20000; exec "$@"\n')
    result = h.move("b", expect=(3, 7))
    if h.jobs("b") or h.jobs("a").get("job") != [h.job.pid]:
        raise Failure(f"{h.jobs('a')} {h.jobs('b')} {result.stderr}")
    (h.top / "b/around").unlink()
    h.move("b")
    h.subject.check(1, h.job.pid)


def needs_root():
    if os.geteuid():
        raise Skip("needs root for a mount namespace")


def missing_path(case):
    """A file that the program has open is not there: said before the job is stopped."""
    needs_root()
    h = Hosts(case, "fd_shared").start()
    inside = h.subject.directory
    h.around("b", f'#!/bin/sh\nexec unshare --mount /bin/sh -c \'mount -t tmpfs none {inside} && exec "$@"\' sh "$@"\n')
    before = switches(h.job.pid)
    result = h.move("b", expect=3)
    if str(inside) not in result.stderr:
        raise Failure(result.stderr)
    h.stays("MIG0101", result)


def own_run_directories(case):
    """As on two real hosts: neither has the other's run directory."""
    needs_root()
    h = Hosts(case).start()
    h.around("b", f'#!/bin/sh\nexec unshare --mount /bin/sh -c \'mount -t tmpfs none {h.top}/a && exec "$@"\' sh "$@"\n')
    h.move("b")
    h.subject.check(0, h.job.pid)
    h.ends()


def memory_name(h):
    """As test/subjects/named_memory.h makes it."""
    return "-" + "-".join(Path(h.subject.directory).parts[-3:]) + ".memory"


def private_memory(h, then=":"):
    """Host b has a /dev/shm of its own."""
    h.around("b", f'#!/bin/sh\nexec unshare --mount /bin/sh -c \'mount -t tmpfs none /dev/shm && {then} && exec "$@"\' sh "$@"\n')


def named_memory(case):
    """What is in /dev/shm, which the other host does not have, moves with the job, there and back."""
    needs_root()
    h = Hosts(case, "shared_named").start()
    private_memory(h)
    here = Path("/dev/shm", memory_name(h))
    for g in range(4):
        h.subject.ready(g, h.job.pid)
        if here.exists() != (h.here == "a"):
            raise Failure(f"{here} is {'' if here.exists() else 'not '}on a")
        h.move("b" if h.here == "a" else "a")
        h.subject.check(g, h.job.pid)
    h.subject.ready(4, h.job.pid)
    h.subject.end(h.job.pid)
    h.tidy()


def memory_taken(case):
    """Another file has the name there: refused, and the job goes on here."""
    needs_root()
    h = Hosts(case, "shared_named").start()
    private_memory(h, f"echo other > /dev/shm/{memory_name(h)}")
    result = h.move("b", expect=3)
    if "another file has the name" not in result.stderr:
        raise Failure(result.stderr)
    h.stays("MIG0102", result)
    h.ends()


def switches(pid):
    return re.search(r"^nonvoluntary_ctxt_switches:.*$", Path(f"/proc/{pid}/status").read_text(), re.M).group()


def changed_path(case):
    """What only the restart finds out (a file that is read has another time there): the job goes on here."""
    needs_root()
    h = Hosts(case, "fd_files").start()
    inside = h.subject.directory
    copy = case.directory("copy")
    h.around("b", f'#!/bin/sh\nexec unshare --mount /bin/sh -c \'mount -t tmpfs none {copy} && cp -r {inside}/. {copy} && '
                  f'find {copy} -type f -exec touch -d 2001-01-01 {{}} + && mount --bind {copy} {inside} && exec "$@"\' sh "$@"\n')
    h.stays("MIG0102", h.move("b", expect=3))


def version(case):
    """Another version on the other side; none; something that is not mig."""
    h = Hosts(case).start()
    h.around("b", "#!/bin/sh\necho Welcome to b!\nexec \"$@\"\n")
    h.stays("MIG0110", h.move("b", expect=7))
    (h.top / "b/around").unlink()
    (h.top / "b/bin/mig").unlink()
    h.case.file("d/result.0").unlink()
    result = h.move("b", expect=7)
    if "not installed" not in result.stderr:
        raise Failure(result.stderr)
    old = case.file("hosts/b/bin/mig", OLD_MIG.replace("TOOL", str(case.build.mig)))
    old.chmod(0o755)
    result = h.move("b", expect=6)
    if "MIG0082" not in result.stderr or "same version" not in result.stderr:
        raise Failure(result.stderr)
    if h.jobs("a").get("job") != [h.job.pid]:
        raise Failure("the job is not here")
    h.job.checkpoint()


# A mig of a time to come: its greeting has another protocol. The checksum is XXH3, so the real one's greeting is asked for.
OLD_MIG = r"""#!/usr/bin/python3 -IB
import json, os, struct, subprocess, sys
def exactly(f, n):
    data = b""
    while len(data) < n:
        data += f.read(n - len(data)) or sys.exit(1)
    return data
p = subprocess.Popen(["TOOL", *sys.argv[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
source = os.fdopen(0, "rb", 0)
header = exactly(source, 24)
body = exactly(source, struct.unpack("<I", header[12:16])[0])
import ctypes.util
xxh = ctypes.CDLL(ctypes.util.find_library("xxhash"))
xxh.XXH3_64bits.restype = ctypes.c_uint64
body = body.replace(b'"protocol":1', b'"protocol":9')
header = header[:16] + struct.pack("<Q", xxh.XXH3_64bits(header[:16] + body, ctypes.c_size_t(16 + len(body))))
p.stdin.write(header + body)
p.stdin.flush()
answer = p.stdout.read()
os.write(1, answer)
"""


def name_taken(case):
    """A job of that name runs there."""
    h = Hosts(case).start()
    h.on("b")
    other = case.spawn([case.build.mig, "run", "--name", "job", "--", "/bin/sleep", "1000"])
    case.wait(lambda: h.jobs("b").get("job"), "other job", pid=other.pid)
    h.on("a")
    result = h.move("b", expect=1)
    if "MIG0004" not in result.stderr or h.jobs("b")["job"] != [other.pid] or h.jobs("a")["job"] != [h.job.pid]:
        raise Failure(result.stderr)
    h.job.checkpoint()


def two_at_once(case):
    """Two moves of one job at once: one succeeds, the other is told; the job is there once."""
    h = Hosts(case).start()
    both = [case.spawn([case.build.mig, "move", "job", "b"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    said = [p.communicate(timeout=60) + (p.returncode,) for p in both]
    done = [code for *_, code in said].count(0)
    for out, err, code in said:
        if code and not re.search(rb"MIG000[134]", err):
            raise Failure(f"{said}")
    if done == 1:
        h.arrived("b")
        h.subject.check(0, h.job.pid)
    elif done:
        raise Failure(f"both succeeded: {said}")
    else:
        h.stays()


def no_such_host(case):
    h = Hosts(case).start()
    h.stays("MIG0110", h.move("nowhere", expect=7))
    result = case.mig("move", "job", "-x", expect=2)
    case.mig("move", "nobody", "b", expect=1)


def blocked(case):
    """What `mig check` says is blocked is not even asked to move: exit status 3."""
    h = Hosts(case, "refuse_netlink").start()
    result = h.move("b", expect=3)
    if "netlink" not in result.stderr.lower() or (h.top / "asked").exists():
        raise Failure(result.stderr)
    h.subject.check(0, h.job.pid)


def interrupted(case):
    """Ctrl-C while the image is under way: the job goes on here."""
    h = Hosts(case, "mem_huge").start()
    h.around("b", SLOW.replace("RATE", str(2 << 20)))
    process = case.spawn([case.build.mig, "move", "job", "b"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    case.wait(lambda: h.leftovers("a") != ["job.job"], "beginning", 20)
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    if process.returncode != 5 or b"interrupted" not in err:
        raise Failure(f"{process.returncode}: {err}")
    h.stays()


SLOW = r"""#!/usr/bin/python3 -IB
import os, subprocess, sys, time
p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
while True:
    data = os.read(0, 65536)
    if not data:
        break
    time.sleep(len(data) / RATE)
    p.stdin.write(data)
    p.stdin.flush()
p.stdin.close()
sys.exit(p.wait())
"""


def progress(case):
    """On a terminal: how much of how much, and how fast; elsewhere nothing."""
    h = Hosts(case, "mem_huge").start()
    h.around("b", SLOW.replace("RATE", str(8 << 20)))
    master, slave = pty.openpty()
    process = case.spawn([case.build.mig, "move", "job", "b"], stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    text = b""
    while True:
        try:
            text += os.read(master, 4096)
        except OSError:
            break
    if process.wait(60) or process.stdout.read() != b"job runs on b\n":
        raise Failure(f"{process.returncode} {text}")
    if not re.search(rb"job to b: [\d.]+ MiB of about [\d.]+ MiB, [\d.]+ [KM]iB/s", text):
        raise Failure(f"{text}")
    h.arrived("b")
    if h.move("a").stderr:
        raise Failure("progress although there is no terminal")


def large(case):
    """The source holds no second copy: while half a gigabyte goes through a slow link, mig stays small."""
    h = Hosts(case)
    program = case.file("large.py", "import os, time\nm = bytearray(os.urandom(1 << 20) * 300)\nopen('ready', 'w')\n"
                        "h = hash(bytes(m))\nwhile not os.path.exists('end'): time.sleep(0.01)\n"
                        "open('same' if hash(bytes(m)) == h else 'differs', 'w')\n")
    h.job.start(["/usr/bin/python3", program])
    case.wait(lambda: (case.scratch / "ready").exists(), "ready", pid=h.job.pid)
    process = case.spawn([case.build.mig, "move", "job", "b"])
    most = 0
    while process.poll() is None:
        try:
            most = max(most, int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text()).group(1)))
        except (OSError, AttributeError):
            pass
        time.sleep(0.01)
    if process.returncode:
        raise Failure(f"mig move ended with {process.returncode}")
    h.arrived("b")
    if most > 64 << 10:
        raise Failure(f"mig needed {most >> 10} MiB")
    case.file("end")
    case.wait(lambda: (case.scratch / "same").exists(), "the same memory", pid=h.job.pid)


def little_memory(case):
    """The other host has too little memory: said before the job is stopped."""
    needs_root()
    h = Hosts(case).start()
    small = case.file("meminfo", "MemTotal: 4096 kB\nMemFree: 1024 kB\nMemAvailable: 1024 kB\n")
    h.around("b", f'#!/bin/sh\nexec unshare --mount /bin/sh -c \'mount --bind {small} /proc/meminfo && exec "$@"\' sh "$@"\n')
    h.stays("MIG0104", h.move("b", expect=3))


def unwritable(case):
    """The run directory there cannot be written."""
    h = Hosts(case).start()
    (h.top / "b/run").chmod(0o500)
    h.stays("MIG0061", h.move("b", expect=3))


SSHD = """ListenAddress {address}
Port 22
HostKey {top}/host_key
AuthorizedKeysFile {top}/user_key.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PidFile none
ClientAliveInterval 5
SetEnv MIG_RUN={run} PATH={bin}:/usr/bin:/bin
"""


class SshHosts(Hosts):
    """Two network namespaces with a cable between them; on each address listens an sshd of the system."""

    def __init__(self, case, subject="mem_anonymous"):
        if os.geteuid():
            raise Skip("needs root for network namespaces and sshd")
        for program in ("sshd", "ssh", "ssh-keygen", "ip", "nsenter"):
            if not shutil.which(program, path="/usr/sbin:/sbin:" + os.environ["PATH"]):
                raise Skip(f"{program} is not installed (openssh-server, openssh-client, iproute2)")
        super().__init__(case, subject, ssh=None)
        self.names = {n: f"mig-{os.getpid()}-{n}" for n in "ab"}
        self.addresses = {"a": "10.231.7.1", "b": "10.231.7.2"}
        self.cable()
        case.file("bin/ssh", f"#!/bin/sh\nexec /usr/bin/ssh -F {self.top}/config \"$@\"\n").chmod(0o755)
        for key in ("host_key", "user_key"):
            self.do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.top / key)
        case.file("hosts/config", f"IdentityFile {self.top}/user_key\nUserKnownHostsFile {self.top}/known\nStrictHostKeyChecking no\nLogLevel ERROR\n"
                  + "".join(f"Host {n}\n  HostName {a}\n" for n, a in self.addresses.items()))
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        for name in "ab":
            self.listen(name)

    def do(self, *argv):
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, env={**os.environ, "PATH": "/usr/sbin:/sbin:" + os.environ["PATH"]})
        if done.returncode:
            raise Skip(f"{argv[0]} {argv[1]} ... does not work here: {done.stderr.strip()}")

    def inside(self, name, *argv):
        return ["nsenter", f"--net=/run/netns/{self.names[name]}", "--", *argv]

    def cable(self):
        for name in self.names.values():
            self.do("ip", "netns", "add", name)
            self.case.later(subprocess.run, ["ip", "netns", "delete", name])
        self.do("ip", "-n", self.names["a"], "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", self.names["b"])
        for name, address in self.addresses.items():
            self.do("ip", "-n", self.names[name], "address", "add", address + "/30", "dev", "cable")
            for device in ("lo", "cable"):
                self.do("ip", "-n", self.names[name], "link", "set", device, "up")

    def listen(self, name):
        config = self.case.file(f"hosts/{name}/sshd_config",
                                SSHD.format(address=self.addresses[name], top=self.top, run=self.top / name / "run", bin=self.top / name / "bin"))
        self.case.spawn(self.inside(name, shutil.which("sshd", path="/usr/sbin:/usr/bin"), "-D", "-e", "-f", config))
        ask = self.inside(name, "ssh-keyscan", "-T", "1", self.addresses[name])
        self.case.wait(lambda: subprocess.run(ask, capture_output=True).stdout, f"sshd on {name}", 20)

    def start(self):
        process = self.case.spawn(self.inside("a", self.case.build.mig, "run", "--name", "job", "--images", self.job.images, "--", *self.subject.argv()))
        self.job.pid, self.pids = process.pid, [process.pid]
        self.subject.ready(0, self.job.pid)
        return self

    def command(self, to):
        return self.inside(self.here, self.case.build.mig, "move", "job", to)

    def move(self, to, expect=0, timeout=60):
        result = self.case.run(self.command(to), expect=expect, timeout=timeout)
        if expect == 0:
            self.arrived(to)
            if os.readlink(f"/proc/{self.job.pid}/ns/net") != f"net:[{os.stat('/run/netns/' + self.names[to]).st_ino}]":
                raise Failure(f"the job is not in the network of {to}")
        return result


def ssh_doctor(case):
    h = SshHosts(case)
    said = json.loads(case.run(h.inside("a", case.build.mig, "doctor", "b", "--json"), expect=(0, 3)).stdout)
    if said["schema_version"] != 1:
        raise Failure(str(said))


def ssh_link_down(case):
    """The cable is pulled while the image is under way, and nobody says so: ssh notices, the job goes on here."""
    h = SshHosts(case, "mem_huge")
    h.start()
    h.do("ip", "netns", "exec", h.names["a"], "tc", "qdisc", "add", "dev", "cable", "root", "tbf", "rate", "16mbit", "burst", "64kb", "latency", "400ms")
    process = case.spawn(h.command("b"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    case.wait(lambda: len(h.leftovers("a")) > 1, "beginning of the move", 20)
    h.do("ip", "-n", h.names["a"], "link", "set", "cable", "down")
    out, err = process.communicate(timeout=100)
    if process.returncode != 7 or b"MIG0110" not in err:
        raise Failure(f"{process.returncode}: {err}")
    h.do("ip", "-n", h.names["a"], "link", "set", "cable", "up")
    case.wait(lambda: not h.leftovers("b"), "end of mig receive", 60)
    h.stays()
    h.do("ip", "netns", "exec", h.names["a"], "tc", "qdisc", "del", "dev", "cable", "root")
    h.move("b")
    h.subject.check(1, h.job.pid)


POINTS = {"greeting": ("from", HELLO, "before"), "first_file": ("to", OPEN, "after"), "data": ("to", DATA, "after"), "file_end": ("to", CLOSE, "before"),
          "restore": ("to", RESTORE, "after"), "restored": ("from", RESTORED, "before"), "restored_told": ("from", RESTORED, "after")}


def tests(options):
    from functools import partial
    found = [Test(f"move/there_and_back/{label}", there_and_back, user=user) for label, user in users()]
    user = ORDINARY if os.geteuid() == 0 else None
    for subject in ("thread_many", "fd_unlinked", "mem_memfd", "pipe", "signal_pending", "timerfd", "identity_threads"):
        found.append(Test(f"move/subject/{subject}", partial(there_and_back, subject=subject), user=user, timeout=120))
    for subject in ("tree_depth", "tree_sessions", "tree_zombies", "tree_orphans", "shared_memory"):
        found.append(Test(f"move/tree/{subject}", partial(there_and_back, subject=subject), user=user, timeout=180))
    for name, point in POINTS.items():
        found.append(Test(f"move/cut/{name}", lambda case, point=point: cut(case, *point), user=user, timeout=120))
        found.append(Test(f"move/tree/cut/{name}", lambda case, point=point: cut(case, *point, "tree_depth"), user=user, timeout=120))
    for subject, code in (("shared_descriptions", "MIG0105"), ("shared_ends", "MIG0106")):
        found.append(Test(f"move/tree/taken/{subject}", partial(taken, subject=subject, code=code), user=user, timeout=120))
    for f in (answer_lost, receiver_killed):
        found.append(Test(f"move/tree/{f.__name__}", partial(f, subject="tree_depth"), user=user, timeout=120))
    for f in (member_killed, pipeline, leader_killed):
        found.append(Test(f"move/tree/{f.__name__}", f, user=user, timeout=120))
    for f in (detached, answer_lost, word_lost, receiver_killed, unknown, taken_back, mig_killed, killed_in_the_middle, no_memory, version, name_taken,
              two_at_once, no_such_host, blocked, interrupted, progress, large):
        found.append(Test(f"move/{f.__name__}", f, user=user, timeout=180))
    found.append(Test("move/unwritable", unwritable, user=user))
    for f in (missing_path, own_run_directories, changed_path, named_memory, memory_taken, little_memory, ssh_doctor):
        found.append(Test(f"move/{f.__name__}", f, timeout=120))
    found.append(Test("move/ssh_there_and_back", partial(there_and_back, hosts=SshHosts), timeout=120))
    found.append(Test("move/ssh_link_down", ssh_link_down, timeout=240, long=True))
    return found
