"""A job under test: started, checkpointed, killed and restarted through the command, followed by its pid."""
import json
import os
import subprocess
from pathlib import Path

from . import host
from .case import Failure


class Job:
    def __init__(self, case, name="job"):
        self.case = case
        self.name = name
        self.images = case.directory(f"{name}.images")
        self.pid = None
        self.first = None  # virtual pid of the process that was started first, whose real one is `pid`
        self.image = None
        self.occupied = None

    def start(self, argv, env=None, options=(), **streams):
        """Starts it with `mig run`: same pid, same exit status."""
        self.case.build.need()
        self.case.program = argv[0]
        process = self.case.spawn([self.case.build.mig, "run", "--name", self.name, "--images", self.images, *options, "--", *argv],
                                  env=env, **streams)
        self.pid = self.first = process.pid
        self.process = process
        return process

    def start_preloaded(self, argv, env=None, **streams):
        """Starts it with LD_PRELOAD and nothing else; it is addressed by its pid from then on."""
        self.case.build.need()
        process = self.case.spawn(argv, env={"LD_PRELOAD": str(self.case.build.library), **(env or {})}, **streams)
        self.pid, self.first, self.name = process.pid, process.pid, str(process.pid)
        self.process = process
        return process

    def processes(self):
        listing = json.loads(self.case.mig("ls", "--json").stdout)
        for job in listing["jobs"]:
            if job["job"] == self.name or any(str(p["pid"]) == self.name for p in job["processes"]):
                return job["processes"]
        return []

    def checkpoint(self, *options, timeout=60, expect=0):
        """Returns the path of the image that `mig checkpoint` printed."""
        result = self.case.mig("checkpoint", self.name, *options, timeout=timeout, expect=expect)
        if expect != 0:
            return result
        lines = result.stdout.strip().splitlines()
        if not lines or not Path(lines[-1]).is_dir():
            raise Failure(f"`mig checkpoint` printed no image directory: {result.stdout!r}")
        self.image = Path(lines[-1])
        return self.image

    def members(self):
        """Real pids: what descends from the first process, and what `mig ls` shows."""
        return list(dict.fromkeys([self.pid, *host.descendants(self.pid), *(p["pid"] for p in self.processes())]))

    def checkpoint_and_kill(self, **more):
        members = self.members()
        tids = [t for pid in members for t in host.threads(pid)[:16]]
        image = self.checkpoint("--kill", **more)
        self.gone(members)
        self.occupy([*(int(p.stem) for p in image.glob("[0-9]*.core")), *tids][:100])
        return image

    def gone(self, members=()):
        """Waits for the end of the processes (they are below this worker) and reaps those that are its children."""
        for pid in dict.fromkeys([self.pid, *members]):
            self.case.wait(lambda: not host.alive(pid), f"end of process {pid}", 10)
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                pass

    def occupy(self, tids):
        """Makes sure that the old numbers are not given out again: sleepers on them (root), or numbers burnt."""
        self.release()
        if os.geteuid() == 0 and tids:
            self.occupied = subprocess.Popen([str(self.case.build.tools / "occupy"), *map(str, tids)],
                                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.occupied.stdout.readline()
        host.burn_pids(20)

    def deaths(self):
        """How the processes that came to this worker by reparenting have ended."""
        ended = [p for p in host.children(os.getpid()) if host.state(p) == "Z"]
        return "".join(f"; process {p} ended{self.case.reap(p)}" for p in ended)

    def release(self):
        if self.occupied:
            self.occupied.stdin.close()
            self.occupied.wait()
            self.occupied = None

    def restart(self, *options, image=None, timeout=60, **streams):
        """Restarts it detached, and finds its new pid."""
        name = self.name
        before = self.pid
        if streams:
            process = self.case.spawn([self.case.build.mig, "restart", image or self.image, "--detach", *options], **streams)
            if process.wait(timeout):
                raise Failure(f"`mig restart` ended with {process.returncode}")
        else:
            self.case.mig("restart", image or self.image, "--detach", *options, timeout=timeout)
        listing = json.loads(self.case.mig("ls", "--json").stdout)["jobs"]
        jobs = [j for j in listing if j["job"] == name or any(str(p["vpid"]) == name for p in j["processes"])]
        if not jobs or not jobs[0]["processes"]:
            raise Failure(f"the restarted job {name} is not in `mig ls`: {listing}{self.deaths()}")
        self.pid = next((p for p in jobs[0]["processes"] if p["vpid"] == self.first), jobs[0]["processes"][0])["pid"]
        if before == self.pid and os.geteuid() == 0:
            raise Failure(f"the restarted process got its old pid {before} although it was occupied")
        return self.pid
