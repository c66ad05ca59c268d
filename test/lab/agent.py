"""Runs inside the other host: takes commands from the lab over a virtio serial port, one at a time.

A message is a line of JSON, then `size` bytes. A request {"argv", "env", "cwd", "ids", "limit", "wait", "size"} runs a
program with the bytes as its input; the reply {"status", "error", "size"} carries what it wrote. A program that is not
waited for writes to the file `output`. A request without argv ends the agent, and with it the host.

Found by trying: the port reads as ended while nobody is connected at the other side, so an empty read is no end.
"""
import ctypes
import glob
import json
import os
import resource
import subprocess
import time

libc = ctypes.CDLL(None)
PR_CAPBSET_DROP = 24
PORT = os.open(glob.glob("/dev/vport*p1")[0], os.O_RDWR)


def read(size):
    data = bytearray()
    while len(data) < size:
        part = os.read(PORT, min(size - len(data), 1 << 20))
        data += part
        if not part:
            time.sleep(0.02)
    return bytes(data)


def read_line():
    line = b""
    while not line.endswith(b"\n"):
        line += read(1)
    return json.loads(line)


def write(header, data=b""):
    out = memoryview(json.dumps({**header, "size": len(data)}).encode() + b"\n" + data)
    while out:
        out = out[os.write(PORT, out[:1 << 15]):]


def become(user, group, groups, bounding, limits):
    """The limits and the bounding set first: they take a capability."""
    for number, pair in limits:
        resource.setrlimit(number, pair)
    for c in range(64):
        if not bounding >> c & 1:
            libc.prctl(PR_CAPBSET_DROP, c, 0, 0, 0)
    os.setgroups(groups)
    os.setgid(group)
    os.setuid(user)


def run(request, data):
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **request.get("env", {})}
    common = {"env": environment, "cwd": request.get("cwd", "/"), "start_new_session": True}
    if request.get("ids"):
        common["preexec_fn"] = lambda: become(*request["ids"])
    if not request.get("wait", True):
        with open(request["output"], "ab") as output:
            process = subprocess.Popen(request["argv"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, **common)
        children.append(process)
        return {"status": process.pid}, b""
    process = subprocess.Popen(request["argv"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **common)
    try:
        out, err = process.communicate(data, request["limit"])
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        return {"status": None, "error": err.decode(errors="replace")}, out
    return {"status": process.returncode, "error": err.decode(errors="replace")}, out


children = []
while True:
    request = read_line()
    data = read(request["size"])
    if not request.get("argv"):
        write({"status": 0})
        break
    children = [c for c in children if c.poll() is None]
    try:
        write(*run(request, data))
    except OSError as error:
        write({"status": 127, "error": str(error)})
