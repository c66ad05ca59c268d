"""Rules that a machine can check (architecture, rule 1 of preload/): what libmig.so and mig-restart may need."""
import os
import re
import shutil
import subprocess
from functools import partial

from runner.case import Failure, Skip
from runner.main import ROOT, Test


def output(*argv):
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=True).stdout


def needed(case):
    case.build.need()
    names = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-dW", case.build.library))
    extra = set(names) - {"libc.so.6", "ld-linux-x86-64.so.2"}
    if extra or "libc.so.6" not in names:
        raise Failure(f"libmig.so needs {names}")
    if "(NEEDED)" in output("readelf", "-dW", case.build.stub) or "INTERP" in output("readelf", "-lW", case.build.stub):
        raise Failure("mig-restart is not static")


def symbols(case):
    """Undefined symbols of the library are on the list, with versions not above GLIBC_2.31."""
    case.build.need()
    allowed = {line.split()[0] for line in (ROOT / "test/allowed-symbols.txt").read_text().splitlines() if line and line[0] != "#"}
    wrong = []
    for line in output("nm", "-D", "--undefined-only", case.build.library).splitlines():
        name, _, version = line.split()[-1].partition("@")
        numbers = re.fullmatch(r"@?GLIBC_(\d+)\.(\d+)(\.\d+)?", version)
        if version and (not numbers or (int(numbers[1]), int(numbers[2])) > (2, 31)):
            wrong.append(f"{name} has version {version.lstrip('@')}")
        if name not in allowed:
            wrong.append(f"{name} is not in test/allowed-symbols.txt")
    if wrong:
        raise Failure("; ".join(wrong))


def constructors(case):
    """One entry: no static constructors of C++."""
    case.build.need()
    found = re.findall(r"^ +\[ *\d+\] \.init_array +\S+ +\S+ +\S+ +(\S+)", output("readelf", "-SW", case.build.library), re.M)
    if found and int(found[0], 16) > 16:
        raise Failure(f".init_array holds {int(found[0], 16) // 8} functions")


def exports(case):
    """What the library exports: wrapped names of libc, libaio and liburing, and mig_*; no C++ names."""
    case.build.need()
    names = [l.split()[-1].split("@")[0] for l in output("nm", "-D", "--defined-only", "--extern-only", case.build.library).splitlines()]
    libc = {l.split()[-1].split("@")[0] for l in output("nm", "-D", "--defined-only", "/lib/x86_64-linux-gnu/libc.so.6").splitlines()}
    libc |= {"io_getevents", "pidfd_getpid", "sched_getattr", "sched_setattr"}  # libaio's, and those of a newer libc
    wrong = [n for n in names if not n.startswith(("mig_", "io_uring_")) and n not in libc]  # liburing's
    if wrong or "mig_checkpoint" not in names:
        raise Failure(f"exported: {wrong or names}")


def stack_executable(case):
    case.build.need()
    for path in (case.build.library, case.build.stub):
        line = [l for l in output("readelf", "-lW", path).splitlines() if "GNU_STACK" in l]
        if not line or "RWE" in line[0]:
            raise Failure(f"{path.name}: executable stack")


def form(case):
    """The sources are as clang-format would write them."""
    if not shutil.which("clang-format"):
        raise Skip("clang-format is not installed")
    if " 14." not in output("clang-format", "--version"):
        raise Skip("another clang-format than version 14 has another opinion")
    files = [p for folder in ("preload", "restore", "image", "tools", "test/unit") for p in sorted((ROOT / folder).rglob("*")) if p.suffix in (".h", ".cpp")]
    result = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], capture_output=True, text=True)
    if result.returncode:
        raise Failure(result.stderr[:2000])


def tidy(folders, case):
    """clang-tidy finds nothing."""
    if not shutil.which("clang-tidy"):
        raise Skip("clang-tidy is not installed")
    database = case.build.root / "compile_commands.json"
    case.build.need(database)
    text = database.read_text().replace("-fno-tree-loop-distribute-patterns", "").replace("-Werror", "")  # gcc's, and its verdict
    case.file("compile_commands.json", text)
    files = [str(p) for folder in folders for p in sorted((ROOT / folder).rglob("*.cpp"))]
    tidy = ["xargs", "-d", "\n", "-P", str(os.cpu_count() or 2), "-n", "4", "clang-tidy", "-p", str(case.scratch), "--quiet",
            "--extra-arg=-Wno-unknown-warning-option"]
    result = subprocess.run(tidy, input="\n".join(files), capture_output=True, text=True)
    found = sorted({line for line in result.stdout.splitlines() if re.search(r"(^|: )(warning|error): ", line)})
    if found or result.returncode:
        raise Failure("\n".join(found[:40]) or result.stderr[-600:])


def layering(case):
    """Dependencies point one way: preload -> image <- restore, tools -> image."""
    allowed = {"preload": {"preload", "image"}, "restore": {"restore", "image"}, "image": {"image"}, "tools": {"tools", "image"}}
    wrong = []
    for folder, may in allowed.items():
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".h", ".cpp", ".S"):
                for found in re.findall(r'^#include "(\w+)/', path.read_text(), re.M):
                    if found not in may:
                        wrong.append(f"{path.relative_to(ROOT)} includes {found}/")
    if wrong:
        raise Failure("; ".join(wrong))


def tests(options):
    found = [Test(f"rule/{f.__name__}", f) for f in (needed, symbols, constructors, exports, stack_executable, layering, form)]
    # tools/ includes large libraries and takes minutes: with --long. What lives in other people's programs is looked at always.
    found.append(Test("rule/tidy", partial(tidy, ("preload", "restore")), timeout=900))
    return found + [Test("rule/tidy_tools", partial(tidy, ("tools",)), timeout=900, long=True)]
