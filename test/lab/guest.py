"""The other host: a virtual machine in software emulation, commanded over a virtio serial port.

Found by trying: KVM may be present and hang, so it is never asked for. Standard input and a serial console lose bytes
under load; a virtio serial port does not, and needs neither network nor keys. A network is among the options `more` (network.py). The disk is opened with snapshot=on: what the
guest writes goes to a nameless file, every boot finds the same disk, and two guests can share it.
"""
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path


SLOWEST = 500_000  # bytes per second through the port, at the very least


class Broken(Exception):
    """The other host does not answer; the text says what its console showed last."""


class Guest:
    BOOT = 240  # seconds: ten on an idle machine

    def __init__(self, lab, directory, cpu, more=(), memory=2048):
        self.lab, self.directory, self.cpu, self.memory, self.more = Path(lab), Path(directory), cpu, memory, more
        self.process = self.channel = None

    def __enter__(self):
        try:
            self.boot()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def boot(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        self.console = self.directory / "console"
        agent = (Path(__file__).parent / "agent.py").read_bytes()
        disk = self.directory / "agent"
        disk.write_bytes(agent + bytes(-len(agent) % 512))
        here, there = socket.socketpair()
        with there:
            self.process = subprocess.Popen(self.words(disk, there.fileno()), pass_fds=[there.fileno()], stdin=subprocess.DEVNULL,
                                            stdout=open(self.directory / "qemu", "wb"), stderr=subprocess.STDOUT,
                                            env={**os.environ, "TMPDIR": str(self.directory)})
        self.channel = here
        self.begin = time.monotonic()
        self.run(["true"], limit=self.BOOT)

    def words(self, disk, fd):
        drive = "if=virtio,format=raw,file={},{}"
        return ["nice", "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", self.cpu, "-smp", "2", "-m", str(self.memory),
                "-nodefaults", "-no-reboot", "-display", "none", "-serial", f"file:{self.console}",
                "-kernel", str(self.lab / "vmlinuz"), "-initrd", str(self.lab / "initrd"),
                "-append", "root=/dev/vda rw console=ttyS0 quiet panic=-1 init=/lab/init",
                "-drive", drive.format(self.lab / "disk", "snapshot=on"), "-drive", drive.format(disk, "readonly=on"),
                "-device", "virtio-serial", "-chardev", f"socket,id=agent,fd={fd}", "-device", "virtserialport,chardev=agent,name=agent", *self.more]

    def _receive(self, size, deadline):
        data = bytearray()
        while len(data) < size:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Broken(f"{self.ended() or 'no answer'}; {self.last_words()}")
            self.channel.settimeout(1)
            try:
                part = self.channel.recv(min(size - len(data), 1 << 20))
            except socket.timeout:
                continue
            if not part:
                time.sleep(0.1)
            data += part
        return bytes(data)

    def request(self, header, data=b"", limit=30):
        """Sends one request and waits for its reply, `limit` seconds on top of its own limit."""
        deadline = time.monotonic() + limit + len(data) / SLOWEST
        self.channel.settimeout(limit + len(data) / SLOWEST)
        self.channel.sendall(json.dumps({**header, "size": len(data)}).encode() + b"\n" + data)
        line = b""
        while not line.endswith(b"\n"):
            line += self._receive(1, deadline)
        reply = json.loads(line)
        return reply, self._receive(reply["size"], deadline)

    def run(self, argv, env=None, cwd="/", ids=None, limit=60, input=b""):
        """Runs a program to its end: (status or None, output, error text)."""
        reply, out = self.request({"argv": [str(a) for a in argv], "env": env or {}, "cwd": str(cwd), "ids": ids, "limit": limit},
                                  input, limit + 60)
        return reply["status"], out, reply["error"]

    def spawn(self, argv, output, env=None, cwd="/", ids=None):
        reply, _ = self.request({"argv": [str(a) for a in argv], "env": env or {}, "cwd": str(cwd), "ids": ids, "wait": False,
                                 "output": str(output)})
        if reply.get("error"):
            raise Broken(f"{argv[0]}: {reply['error']}")
        return reply["status"]

    def ended(self):
        return "" if self.process.poll() is None else f"qemu ended with {self.process.returncode}"

    def last_words(self):
        said = (self.directory / "qemu").read_text(errors="replace")[-500:]
        console = self.console.read_text(errors="replace")[-1500:] if self.console.exists() else ""
        return f"qemu said: {said!r}; console: {console}"

    def stop(self):
        """Asks it to end; ends it by its pid where it does not."""
        if not self.process:
            return
        try:
            if self.process.poll() is None:
                self.request({}, limit=5)
            self.process.wait(10)
        except (OSError, ValueError, Broken, subprocess.TimeoutExpired):
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self.channel.close()
        self.process = None
