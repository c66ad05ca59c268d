"""Trees that restart on another host each time: the hosts of the demonstration (scripts/demo.d/on_host), which share only the directory
with the image. Each subject compares what it sees with what it saw before.

On a host this file is the program that runs there: it starts or restarts the job, has the subject verify itself, and makes the next
image. The numbers that the job had before are taken on every host."""
import os
import sys
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cases.subjects import Subject
from runner import host
from runner.case import ORDINARY, Build, Case, Failure, Skip
from runner.job import Job
from runner.main import ROOT, Test, users

ON_HOST = ROOT / "scripts/demo.d/on_host"
NO_HOST = 77
SUBJECTS = ("tree_relations", "tree_kill")


class Stay:
    """A job's time on one host, from its start or restart to its end or next image."""

    def __init__(self, case, subject, generation, last):
        self.case, self.generation, self.last = case, generation, last
        self.subject, self.job = Subject(case, subject, {}), Job(case)
        self.note = case.scratch / "first"

    def arrive(self):
        if self.generation == 0:
            self.say_what_is_own()
            self.job.start(self.subject.argv(), process_group=0)  # as a shell would
            self.note.write_text(str(self.job.first))
            return
        self.job.first = int(self.note.read_text())
        self.job.image = self.job.images / "latest"
        before = [int(core.stem) for core in self.job.image.glob("[0-9]*.core")]
        self.job.occupy(before)
        self.job.restart()
        kept = [p for p in self.job.processes() if p["vpid"] == p["pid"]]
        if len(before) != len(self.job.processes()) or kept:
            raise Failure(f"{len(before)} processes were saved, {len(self.job.processes())} are here; with their old numbers: {kept}")
        self.subject.check(self.generation - 1, self.job.pid)

    def say_what_is_own(self):
        """Nobody else is here: every terminal and every process is the job's."""
        self.case.file("d/own-processes")
        if os.listdir("/dev/pts") == ["ptmx"]:
            self.case.file("d/own-terminals")

    def leave(self):
        self.subject.ready(self.generation, self.job.pid)
        if self.generation == self.last:
            return self.subject.end(self.job.pid)
        members = self.job.members()
        self.job.checkpoint("--kill")
        self.job.gone(members)


def adopt():
    """On every other host orphans get another parent than the first process. True in that process."""
    if os.fork():
        return False
    host.become_subreaper()
    return True


def stay(build, scratch, subject, generation, last):
    os.setsid()
    if int(generation) % 2 and not adopt():
        return os.waitstatus_to_exitcode(os.wait()[1])
    case = Case(Build(build), scratch, None, ROOT)
    visit = Stay(case, subject, int(generation), int(last))
    try:
        visit.arrive()
        visit.leave()
    except Skip as reason:
        print(reason, file=sys.stderr)
        return NO_HOST
    except Failure as failure:
        print(f"host {generation}: {failure}\n{case.report()}", file=sys.stderr)
        return 1
    finally:
        visit.job.release()
    return 0


def travel(case, subject, generations):
    case.build.need(case.build.subjects / subject)
    for g in range(generations + 1):
        done = case.run([ON_HOST, f"host-{g}", sys.executable, "-B", __file__, case.build.root, case.scratch, subject, g, generations],
                        expect=(0, 1, NO_HOST), timeout=90, env={"PYTHONPATH": str(ROOT / "test")})
        if done.returncode == NO_HOST or "unshare" in done.stderr:
            raise Skip(f"no namespaces here: {done.stderr.strip()}")
        if done.returncode:
            raise Failure(done.stderr)


def tests(options):
    found = []
    for subject in SUBJECTS:
        for generations in (options.generations,) if options.generations else (1, 3, 10):
            for label, user in users():
                found.append(Test(f"host/{subject}/{generations}/{label}", partial(travel, subject=subject, generations=generations), user=user,
                                  timeout=60 + 20 * generations, long=generations == 10 and label == "root"))
    return found


if __name__ == "__main__":
    sys.exit(stay(*sys.argv[1:]))
