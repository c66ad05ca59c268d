"""The unit tests: one program (Catch2), one test here for each file of test/unit."""
from functools import partial

from runner.main import ROOT, Test


def unit(name, case):
    program = case.build.root / "test/unit/unit"
    case.build.need(program)
    case.run([program, f"[{name}]"], timeout=60)


def tests(options):
    return [Test(f"unit/{p.stem}", partial(unit, p.stem)) for p in sorted((ROOT / "test/unit").glob("*.cpp")) if p.stem != "main"]
