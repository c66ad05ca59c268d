"""Images that no mig of today writes, made by changing one and setting its checksums right again."""
import ctypes
import os
import struct

from cases.errors import Running, core_of, refuses
from runner.case import Failure, Skip
from runner.main import ORDINARY, Test

TRAILER = struct.Struct("<8sIIQQQQQQ")  # magic version incompatible tail blocks tail-sum header-sum size sum (image/layout.h)
NOTE, RECORD = struct.Struct("<III"), struct.Struct("<IIII")
RECORDS_NOTE, TEXT_RECORD, KERNEL_TEXT, UNKNOWN = 0x4D494701, 2, 4, 9999


def checksum(data):
    try:
        xxh3 = ctypes.CDLL("libxxhash.so.0").XXH3_64bits
    except OSError:
        raise Skip("libxxhash.so.0 is not installed")
    xxh3.restype, xxh3.argtypes = ctypes.c_uint64, (ctypes.c_char_p, ctypes.c_size_t)
    return xxh3(bytes(data), len(data))


def change_core(path, change):
    """change(bytes, trailer) may alter the tail of the file in place and the fields of the trailer (a list)."""
    data = bytearray(path.read_bytes())
    trailer = list(TRAILER.unpack(data[-TRAILER.size:]))
    change(data, trailer)
    trailer[5] = checksum(data[trailer[3]:-TRAILER.size])
    data[-TRAILER.size:] = TRAILER.pack(*trailer)
    data[-8:] = struct.pack("<Q", checksum(data[-TRAILER.size:-8]))
    path.write_bytes(data)


def change_manifest(path, old, new):
    text = path.read_text()
    if old not in text:
        raise Failure(f"no {old!r} in {text[:500]}")
    text = text[:text.rindex('\n"checksum":"') + 1].replace(old, new, 1)
    path.write_text(f'{text}"checksum":"{checksum(text.encode()):016x}"}}\n')


def make_unknown(flags):
    """The record that names the kernel, which no restart needs, gets a type that nobody knows."""

    def change(data, trailer):
        at = trailer[3]
        while True:
            name, size, kind = NOTE.unpack_from(data, at)
            start = at + NOTE.size + (name + 3 & ~3)
            if kind == RECORDS_NOTE:
                break
            at = start + (size + 3 & ~3)
        at = start
        while at < start + size:
            kind, _, fixed, tail = RECORD.unpack_from(data, at)
            if kind == TEXT_RECORD and struct.unpack_from("<I", data, at + RECORD.size)[0] == KERNEL_TEXT:
                RECORD.pack_into(data, at, UNKNOWN, flags, fixed, tail)
                return
            at += RECORD.size + (fixed + tail + 7 & ~7)
        raise Failure("no record that names the kernel")

    return change


def set_trailer(index, value):
    def change(_, trailer):
        trailer[index] = value
    return change


def unchanged(*_):
    pass


def crafted(change, code, case):
    """Refused with the code before anything of it runs; or, without a code, restarted."""
    r = Running(case)
    image = r.image_of_dead()
    change(image)
    if code:
        refuses(case, ("restart", image, "--detach"), code, 3 if code == "MIG0100" else 6)
        if case.mig("ls", "--json").stdout.count('"pid"'):
            raise Failure("something of the refused image runs")
    else:
        r.job.restart()
        r.subject.check(0, r.job.pid)


def in_core(change):
    return lambda image: change_core(core_of(image), change)


def in_manifest(old, new):
    return lambda image: change_manifest(image / "manifest.json", old, new)


IMAGES = {
    "resealed": (in_core(unchanged), None),
    "version": (in_core(set_trailer(1, 2)), "MIG0082"),
    "incompatible": (in_core(set_trailer(2, 1 << 31)), "MIG0082"),
    "required_record": (in_core(make_unknown(1)), "MIG0082"),
    "unknown_record": (in_core(make_unknown(0)), None),
    "manifest_format": (in_manifest('"format":1', '"format":2'), "MIG0082"),
    "architecture": (in_manifest('"machine":"x86_64"', '"machine":"aarch64"'), "MIG0083"),
    "cpu_feature": (in_manifest('"required":[', '"required":["made_up_feature",'), "MIG0100"),
}


def tests(options):
    user = ORDINARY if os.geteuid() == 0 else None
    return [Test(f"crafted/{name}", lambda case, a=a: crafted(*a, case), user=user, timeout=90) for name, a in IMAGES.items()]
