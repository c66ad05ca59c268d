"""Programs that own a terminal and run others in it: shells with job control, tmux, editors with a command under way.

Each is killed and restarted three times, every time on another terminal of another size.
"""
import os
import subprocess
from functools import partial
from pathlib import Path

from cases.programs import Terminal
from runner.case import ORDINARY, Failure, Skip
from runner.job import Job
from runner.main import Test

GENERATIONS = 3


class Session:
    """A job on a terminal, followed from one terminal to the next."""

    def __init__(self, case, argv, **env):
        if not os.access(argv[0], os.X_OK):
            raise Skip(f"{argv[0]} is not installed")
        case.build.need()
        self.case, self.generation = case, 0
        self.job, self.terminal = Job(case), Terminal(case)
        case.later(self.job.release)
        self.process = self.job.start(argv, env={"TERM": "xterm", "PS1": "$ ", **env}, **self.terminal.streams())

    def say(self, text, answer):
        """Types something and waits for what it brings to the screen from then on."""
        self.terminal.read()
        self.terminal.output = b""
        self.terminal.type(text)
        self.shows(answer)

    def shows(self, text):
        try:
            self.terminal.expect(text, self.job.pid)
        except Failure as failure:
            ps = subprocess.run(["ps", "-o", "pid,ppid,pgid,sid,tpgid,tty,stat,wchan:20,args", "-p", ",".join(map(str, self.job.members()))],
                                capture_output=True, text=True).stdout
            raise Failure(f"{failure}\nthe terminal shows {self.terminal.output[-600:]!r}\n{ps}")

    def foreground(self, program):
        """Waits until it has the terminal: before that a key is the shell's."""
        def has():
            try:
                return Path(f"/proc/{os.tcgetpgrp(self.terminal.master)}/comm").read_text() == program + "\n"
            except OSError:
                return False
        self.case.wait(has, f"{program} in the foreground", 15, self.job.pid)

    def move(self):
        self.job.checkpoint_and_kill()
        self.terminal.close()
        self.generation += 1
        self.terminal = Terminal(self.case, 24 + self.generation, 80 + self.generation)
        self.process = self.terminal.restart(self.job)

    def end(self, status=0):
        try:
            code = self.process.wait(15)
        except subprocess.TimeoutExpired:
            raise Failure(f"it does not end: {self.terminal.read()[-500:]!r}\n{self.case.diagnose(self.job.pid)}")
        if code != status:
            raise Failure(f"it ended with {code}: {self.terminal.read()[-500:]!r}")


def job_control(argv, running, stopped, case):
    """A shell with a job in the background, a stopped one, and one in the foreground when the checkpoint comes."""
    s = Session(case, argv)
    wanted = ""

    def write(line):
        """What the stopped program gets: it has read it when it stands in its file."""
        nonlocal wanted
        wanted += line + "\n"
        s.terminal.type(line + "\r")
        case.wait(lambda: (case.scratch / "caught").read_text() == wanted, f"{wanted!r} in the file", 15, s.job.pid)

    s.shows("$ ")
    s.say("sleep 1000 &\r", "$ ")
    s.say("cat >caught\r", "caught")
    s.foreground("cat")
    write("first")
    s.say("\x1a", stopped)
    for g in range(GENERATIONS):
        s.move()
        s.say(f"echo sum:$(({g} + 40)):\r", f"sum:{g + 40}:")
        s.say("jobs\r", running)
        s.shows(stopped)
        s.say("sleep 1000\r", "sleep")
        s.foreground("sleep")
        s.say("\x03", "$ ")
        s.say("echo status $?\r", "status 130")
        s.say("fg %2\r", "cat")
        s.foreground("cat")
        write(f"before {g}")
        s.move()
        write(f"after {g}")
        s.say("\x1a", stopped)
    s.say("fg %2\r", "cat")
    s.foreground("cat")
    write("last")
    s.say("\x04", "$ ")
    s.say("kill %1; wait; exit 5\r", "exit")
    s.end(5)


def tmux(case):
    """Client and server with three panes: a shell, vim, less."""
    for program in ("/usr/bin/vim", "/usr/bin/less"):
        if not os.access(program, os.X_OK):
            raise Skip(f"{program} is not installed")
    case.file("lines", "".join(f"line {n} of less\n" for n in range(500)))
    case.file("notes", "the notes\n")
    command = ["/usr/bin/tmux", "-S", case.scratch / "tmux", "-f", "/dev/null"]
    s = Session(case, [*command, "new-session", "bash --norc", ";", "split-window", "-h", "vim -u NONE -n -i NONE notes", ";", "split-window", "-v", "less lines"])

    def pane(n):
        return case.run([*command, "capture-pane", "-p", "-t", f":.{n}"]).stdout

    def keys(n, text, answer):
        case.run([*command, "send-keys", "-t", f":.{n}", text, "Enter"])
        case.wait(lambda: answer in pane(n), f"{answer!r} in pane {n}")

    def all_there(g):
        case.wait(lambda: f"sum:{g * 7}:" in pane(0), "the shell's pane")
        case.wait(lambda: f"vim {g}" in pane(1), "vim's pane")
        case.wait(lambda: f"line {g * 40 + 40} of less" in pane(2), "less's pane")
        s.terminal.read()

    s.shows("line 0 of less")
    for g in range(GENERATIONS + 1):
        keys(0, f"echo sum:$(({g} * 7)):", f"sum:{g * 7}:")
        keys(1, f"ovim {g}\x1b", f"vim {g}")
        keys(2, f"{g * 40 + 40}g", f"line {g * 40 + 40} of less")
        all_there(g)
        if g < GENERATIONS:
            s.move()
            all_there(g)
            s.say("\x02o", "")
    keys(1, ":w", "written")
    case.run([*command, "send-keys", "-t", ":.2", "q"])
    case.run([*command, "send-keys", "-t", ":.1", ":q!", "Enter"])
    case.run([*command, "send-keys", "-t", ":.0", "exit", "Enter"])
    s.shows("[exited]")
    s.end()
    if (text := (case.scratch / "notes").read_text()) != "the notes\n" + "".join(f"vim {g}\n" for g in range(GENERATIONS + 1)):
        raise Failure(f"the notes are {text!r}")


# Has begun when the file begun.G is there, and ends when go.G is.
COMMAND = "echo >begun.$1; until [ -e go.$1 ]; do sleep 0.05; done; seq $(($1 + 1)) | sed s/^/command/\n"


def output_of(g):
    return "".join(f"command{n}\n" for n in range(1, g + 2))


def editor(argv, begin, wait_end, finish, status, case):
    """An editor that waits for a shell command when the checkpoint comes."""
    text = case.file("text", "last line\n")
    case.file("command.sh", COMMAND)
    s = Session(case, [*argv, text])
    s.shows("last line")
    for g in range(GENERATIONS):
        s.terminal.type(begin.format(f"sh command.sh {g}"))
        case.wait(lambda: (case.scratch / f"begun.{g}").exists(), "the command", 15, s.job.pid)
        s.move()
        case.file(f"go.{g}")
        wait_end(s, g)
    s.terminal.type(finish)
    s.end(status)
    wanted = sorted("last line\n" + "".join(map(output_of, range(GENERATIONS))))
    if sorted(text.read_text()) != wanted:
        raise Failure(f"the text is {text.read_text()!r}")


def shown(s, g):
    s.shows(f"command{g + 1}")


SHELLS = {"bash-jobs": (["/bin/bash", "--norc", "--noprofile", "--noediting", "-i"], "Running", "Stopped"),
          "zsh-jobs": (["/usr/bin/zsh", "-f", "-i", "+Z"], "running", "suspended")}
EDITORS = {"vim": (["/usr/bin/vim", "-u", "NONE", "-n", "-i", "NONE"], ":r !{}\r", shown, ":wq\r", 0),
           "nano": (["/usr/bin/nano", "-I"], "\x14{}\r", shown, "\x13\x18", 0)}


def tests(options):
    user = ORDINARY if os.geteuid() == 0 else None
    rows = [(name, partial(job_control, *row)) for name, row in SHELLS.items()]
    rows += [(f"{name}-command", partial(editor, *row)) for name, row in EDITORS.items()]
    rows.append(("tmux", tmux))
    return [Test(f"tree/{name}", function, user=user, timeout=180) for name, function in rows]
