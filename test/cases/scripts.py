"""The scripts: the demonstration must hold what it shows, and leave nothing behind."""
import os

from runner.case import Failure, Skip
from runner.main import ORDINARY, Test


def demo(case):
    script = case.source / "scripts/demo"
    if not os.access(script, os.X_OK):
        raise Skip("scripts/demo is not there")
    case.build.need()
    case.run([script, "--no-setup", "--build", case.build.root], timeout=100, env={"TMPDIR": str(case.directory("tmp"))})
    left = list((case.scratch / "tmp").iterdir())
    if left:
        raise Failure(f"the demonstration left {left}")


def tests(options):
    found = [Test("script/demo", demo, timeout=120, alone=True)]
    if os.geteuid() == 0:
        found.append(Test("script/demo-user", demo, user=ORDINARY, timeout=120, alone=True))
    return found
