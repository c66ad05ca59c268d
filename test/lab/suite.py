"""Tests of the ordinary suite, run inside the other host: what its kernel has and has not, this machine's cannot show."""
import time
from pathlib import Path

from sides import Failed, say

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 6  # how much longer than here a test may take on an emulated CPU


class Suite:
    """test/run.py there, followed by what it has printed so far."""

    def __init__(self, there, generations=1):
        self.there, self.generations = there, generations
        self.directory = Path("/var/tmp/suite")  # on the guest's disk: /tmp is a tmpfs, whose files have no news of mapped writes

    def install(self):
        self.there.install([ROOT / "test"])

    def start(self, patterns):
        self.log = self.directory / "output"
        self.there.shell(f"rm -rf '{self.directory}' && mkdir -p '{self.directory}'")
        words = ["/usr/bin/python3", "-B", ROOT / "test/run.py", "--build", self.there.build, "--jobs", 2, "--generations", self.generations,
                 "--patience", PATIENCE, *patterns]
        self.there.spawn(words, self.log, {"TMPDIR": str(self.directory)})

    def output(self, begin):
        return self.there.need(["tail", "-c", f"+{begin + 1}", self.log])

    def wait(self, limit):
        """Prints what did not pass as it comes; returns the last line."""
        deadline, text, told = time.monotonic() + limit, "", 0
        while time.monotonic() < deadline:
            text += self.output(len(text.encode()))
            lines = text.split("\n")
            for line in lines[told:-1]:
                if line.startswith(("failed  ", "skipped ")):
                    say("    " + line)
            told = len(lines) - 1
            if lines[-2:-1] and " skipped" in lines[-2] and " passed, " in lines[-2]:
                return lines[-2], text
            time.sleep(2)
        raise Failed(f"the suite does not end within {limit} s: {text[-1500:]}")


def suite(there, patterns, limit=7200):
    s = Suite(there)
    s.install()
    s.start(patterns)
    last, text = s.wait(limit)
    if not last.split(",")[1].strip().startswith("0 "):
        raise Failed(text[text.rfind("\nfailed: "):][:20000])
    return last
