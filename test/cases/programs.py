"""Debian's programs, unmodified: checkpointed under load and restarted three times; the output is that of an undisturbed run.

A program is a row of the table: how to start it (in a directory of its own), and what to prepare. It is run once
undisturbed, which also measures its CPU time; then under the library, with a checkpoint after each sixth of that time: one that is faster then has not ended before the third.
"""
import fcntl
import glob
import os
import pty
import pwd
import resource
import shutil
import socket
import struct
import subprocess
import termios
import time
from functools import partial

from runner import host
from runner.case import ORDINARY, Failure, Skip
from runner.job import Job
from runner.main import ROOT, Test

PROGRAMS = ROOT / "test/programs"
PYTHON = "/usr/bin/python3"


def cc1plus():
    found = sorted(glob.glob("/usr/lib/gcc/x86_64-linux-gnu/*/cc1plus") + glob.glob("/usr/libexec/gcc/x86_64-linux-gnu/*/cc1plus"))
    return found[-1] if found else "cc1plus"


def noise(path, megabytes):
    """Bytes that compress a little: text made of pseudo-random words."""
    subprocess.run(["gawk", "-v", f"n={megabytes}", "BEGIN { srand(7); for (i = 0; i < n * 110000; ++i) printf \"%x %s\\n\", rand() * 2 ^ 24, i % 97 }"],
                   stdout=open(path, "wb"), check=True)


def source(path):
    with open(path, "w") as f:
        f.write("#include <map>\n#include <string>\n#include <vector>\n#include <algorithm>\n#include <functional>\n#include <iostream>\n")
        for n in range(14):
            f.write(f"struct S{n} {{ int a; std::string b; bool operator<(const S{n}& o) const {{ return a < o.a; }} }};\n"
                    f"int f{n}(int x) {{ std::map<S{n}, std::vector<std::string>> m; for (int i = 0; i < x; ++i) m[{{i, \"k\"}}].push_back(std::to_string(i));\n"
                    f"  std::vector<S{n}> v; for (auto& p : m) v.push_back(p.first); std::sort(v.begin(), v.end()); std::function<int(int)> g = [&](int y) {{ return y + (int)v.size(); }}; return g({n}); }}\n")


def preprocessed(directory):
    source(directory / "in.cc")
    subprocess.run(["g++", "-E", "-P", "in.cc", "-o", "in.ii"], cwd=directory, check=True)


def java(directory):
    subprocess.run(["javac", "-d", ".", PROGRAMS / "Work.java"], cwd=directory, check=True)


# name: (argv, prepare(directory), file whose bytes count besides stdout)
TABLE = {
    "python-threads": ([PYTHON, PROGRAMS / "threads.py"], None, None),
    "python-sqlite": ([PYTHON, PROGRAMS / "sqlite.py"], None, None),
    "python-numpy": ([PYTHON, PROGRAMS / "numeric.py"], None, None),
    "perl": (["/usr/bin/perl", PROGRAMS / "work.pl"], None, None),
    "ruby": (["/usr/bin/ruby", PROGRAMS / "work.rb"], None, None),
    "lua": (["/usr/bin/lua5.4", PROGRAMS / "work.lua"], None, None),
    "php": (["/usr/bin/php", PROGRAMS / "work.php"], None, None),
    "node": (["/usr/bin/node", PROGRAMS / "work.js"], None, None),
    "java": (["/usr/bin/java", "-Xmx96m", "-XX:+UseG1GC", "-cp", ".", "Work"], java, None),
    "octave": (["/usr/bin/octave-cli", "--no-gui", "-qf", PROGRAMS / "work.m"], None, None),
    "cc1plus": ([cc1plus(), "-quiet", "-fpreprocessed", "in.ii", "-O2", "-o", "out.s"], preprocessed, "out.s"),
    "xz": (["/usr/bin/xz", "-T2", "-k", "-c", "--block-size=1MiB", "in.txt"], lambda d: noise(d / "in.txt", 9), None),
    "zstd": (["/usr/bin/zstd", "-T2", "-13", "--long=21", "-q", "-c", "in.txt"], lambda d: noise(d / "in.txt", 12), None),
    "ffmpeg": (["/usr/bin/ffmpeg", "-loglevel", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=duration=20:size=640x360:rate=25", "-c:v", "libx264",
                "-preset", "medium", "-threads", "2", "-fflags", "+bitexact", "-flags", "+bitexact", "-y", "out.264"], None, "out.264"),
    "sqlite3": (["/usr/bin/sqlite3", "data.db", f".read {PROGRAMS / 'work.sql'}"], None, None),
    "bc": (["/usr/bin/bc", "-lq", "in.bc"], lambda d: (d / "in.bc").write_text("scale=1800\n4*a(1)\ne(1)\nl(2)\nquit\n"), None),
    "gawk": (["/usr/bin/gawk", "-f", PROGRAMS / "work.awk"], None, None),
}


def fresh(case, name, prepare):
    directory = case.directory(name)
    if prepare:
        prepare(directory)
        for path in directory.iterdir():
            case.own(path)
    return directory


def cpu_seconds(pid):
    fields = host.stat_fields(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else None


def start_in(case, directory, argv, out):
    with open(out, "wb") as stdout:
        return case.spawn(argv, cwd=directory, stdout=stdout)


def program(name, case):
    argv, prepare, produced = TABLE[name]
    if not os.access(argv[0], os.X_OK):
        raise Skip(f"{argv[0]} is not installed")
    if name == "python-numpy" and subprocess.run([PYTHON, "-c", "import numpy"], capture_output=True).returncode:
        raise Skip("python3-numpy is not installed")
    if name == "java" and not shutil.which("javac"):
        raise Skip("javac is not installed")
    case.build.need()
    if name == "java":
        case.later(remove_if_empty, f"/tmp/hsperfdata_{pwd.getpwuid(case.user if case.user is not None else os.geteuid()).pw_name}")
    argv = [copied(case, a) for a in argv]
    plain = fresh(case, "plain", prepare)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = start_in(case, plain, argv, case.own_file("plain.out"))
    try:
        if process.wait(60):
            raise Failure(f"the undisturbed run ended with {process.returncode}")
    except subprocess.TimeoutExpired:
        raise Failure("the undisturbed run takes too long")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    moved = fresh(case, "moved", prepare)
    job = Job(case)
    case.later(job.release)
    with open(case.own_file("moved.out"), "wb") as out:
        job.start(argv, stdout=out, cwd=moved)
    for g in range(3):
        wait_for_work(case, job.pid, total / 6, g)
        job.checkpoint_and_kill()
        job.restart()
    status = case.end_status(job.pid, 90)
    if status:
        raise Failure(f"the program ended with {status} after the restarts")
    compare(case.scratch / "plain.out", case.scratch / "moved.out")
    if produced:
        compare(plain / produced, moved / produced)


def copied(case, argument):
    """Scripts of the source tree are read from the test's own directory."""
    text = str(argument)
    for path in PROGRAMS.iterdir():
        if str(path) in text:
            copy = case.file(path.name, path.read_text())
            return text.replace(str(path), str(copy))
    return text


def remove_if_empty(path):
    try:
        os.rmdir(path)
    except OSError:
        pass


def wait_for_work(case, pid, seconds, g):
    deadline = time.monotonic() + 30
    while (used := cpu_seconds(pid)) is not None and used < seconds:
        if not host.alive(pid):
            raise Failure(f"the program ended before checkpoint {g + 1} with {case.end_status(pid)}")
        if time.monotonic() > deadline:
            raise Failure(f"the program makes no progress\n{case.diagnose(pid)}")
        time.sleep(0.01)


def compare(wanted, got):
    a, b = wanted.read_bytes(), got.read_bytes()
    if a == b:
        return
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    raise Failure(f"{got.name} differs from the undisturbed run at byte {at} of {len(a)} and {len(b)}: "
                  f"{a[max(0, at - 40):at + 60]!r} became {b[max(0, at - 40):at + 60]!r}")


def openssl(case):
    """openssl speed counts between alarms: it must come to its end and print figures for all sizes."""
    if not os.access("/usr/bin/openssl", os.X_OK):
        raise Skip("openssl is not installed")
    job = Job(case)
    with open(case.own_file("out"), "wb") as out:
        job.start(["/usr/bin/openssl", "speed", "-seconds", "2", "sha256"], stdout=out, stderr=subprocess.DEVNULL)
    for g in range(3):
        wait_for_work(case, job.pid, 0.2, g)
        job.checkpoint_and_kill()
        job.restart()
    status = case.end_status(job.pid, 60)
    line = [l for l in (case.scratch / "out").read_text().splitlines() if l.startswith("sha256")]
    if status or not line or len(line[0].split()) != 7:
        raise Failure(f"openssl speed ended with {status}: {line}")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def redis(case):
    """Data and the listening socket; a connection of a client is reset and the client connects again."""
    if not shutil.which("redis-server"):
        raise Skip("redis-server is not installed")
    port = free_port()

    def ask(*words):
        with socket.create_connection(("127.0.0.1", port), 5) as s:
            s.sendall(" ".join(words).encode() + b"\r\n")
            return s.recv(65536).decode().strip()

    def ready():
        try:
            return ask("ping") == "+PONG"
        except OSError:
            return False

    job = Job(case)
    case.later(job.release)
    job.start(["/usr/bin/redis-server", "--port", port, "--save", "", "--appendonly", "no", "--dir", case.scratch, "--daemonize", "no"])
    case.wait(ready, "answer of redis", pid=job.pid)
    for n in range(500):
        ask("set", f"key{n}", f"value{n}")
    for g in range(3):
        client = socket.create_connection(("127.0.0.1", port), 5)
        client.sendall(b"incr counter\r\n")
        client.recv(100)
        job.checkpoint_and_kill()
        job.restart()
        client.settimeout(5)
        try:
            client.sendall(b"ping\r\n")
            if client.recv(100):
                raise Failure("the old connection goes on")
        except socket.timeout:
            raise Failure("the client hangs on its old connection")
        except OSError:
            pass
        case.wait(ready, "answer of redis after the restart", pid=job.pid)
        if ask("get", "counter") != f"$1\r\n{g + 1}" or ask("get", "key321") != "$8\r\nvalue321" or ask("dbsize") != ":501":
            raise Failure(f"data: {ask('get', 'counter')!r} {ask('get', 'key321')!r} {ask('dbsize')!r}")
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(b"shutdown nosave\r\n")
    if status := case.end_status(job.pid, 15):
        raise Failure(f"redis ended with {status}")


class Terminal:
    """A terminal of its own for a program: a pty whose output is collected."""

    def __init__(self, case, rows=24, columns=80):
        self.case = case
        self.master, self.slave = pty.openpty()
        os.set_blocking(self.master, False)
        self.resize(rows, columns)
        if case.user is not None:
            os.fchown(self.slave, case.user, case.user)
        self.output = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def streams(self):
        def take():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        return dict(stdin=self.slave, stdout=self.slave, stderr=self.slave, preexec_fn=take)

    def read(self):
        try:
            while data := os.read(self.master, 65536):
                self.output += data
        except OSError:
            pass
        return self.output

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, text, pid=None):
        self.case.wait(lambda: text.encode() in self.read(), f"{text!r} on the terminal", 15, pid)

    def restart(self, job):
        """Restarts the job on this terminal, in the foreground."""
        process = self.case.spawn([self.case.build.mig, "restart", job.image], env={"TERM": "xterm"}, **self.streams())

        def running():
            self.read()
            if process.poll() is not None:
                raise Failure(f"`mig restart` ended with {process.returncode}: {self.output!r}")
            return [p for p in job.processes() if p["vpid"] == job.first]
        job.pid = self.case.wait(running, "the restarted job")[0]["pid"]
        return process

    def close(self):
        os.close(self.slave)
        os.close(self.master)


def vim(case):
    """An editor in the middle of its work goes on in another terminal of another size, in the foreground."""
    editor = next((e for e in ("/usr/bin/vim", "/usr/bin/vim.basic", "/usr/bin/vim.tiny") if os.access(e, os.X_OK)), None)
    if not editor:
        raise Skip("vim is not installed")
    case.build.need()
    text = case.file("text", "first line\nlast line\n")
    terminal = Terminal(case)
    job = Job(case)
    case.later(job.release)
    job.start([editor, "-u", "NONE", "-n", "-i", "NONE", text], env={"TERM": "xterm"}, **terminal.streams())
    terminal.expect("last line", job.pid)
    terminal.type("onew from before")
    terminal.expect("new from before", job.pid)
    for g in range(3):
        job.checkpoint_and_kill()
        terminal.close()
        terminal = Terminal(case, 30 + g, 100 + g)
        process = terminal.restart(job)
        terminal.type(f" and {g}")
        terminal.expect(f"and {g}")
        terminal.output = b""
        terminal.type("\x1b:set columns?\r")
        terminal.expect(f"columns={100 + g}")
        terminal.type("a")
    terminal.type("\x1b:wq\r")
    try:
        status = process.wait(15)
    except subprocess.TimeoutExpired:
        raise Failure(f"vim does not end: {terminal.read()[-500:]!r}\n{case.diagnose(job.pid)}")
    if status or text.read_text() != "first line\nnew from before and 0 and 1 and 2\nlast line\n":
        raise Failure(f"status {status}, text {text.read_text()!r}")


def tests(options):
    user = ORDINARY if os.geteuid() == 0 else None
    found = [Test(f"program/{name}", partial(program, name), user=user, timeout=240) for name in TABLE]
    for function in (openssl, redis, vim):
        found.append(Test(f"program/{function.__name__}", function, user=user, timeout=120))
    return found
