"""A way for ssh between the two hosts, in both directions, that leads nowhere else.

There, sshd listens in the guest, whose port QEMU offers on this machine's loopback. Here nothing listens: QEMU starts an sshd for
each connection to an address that exists only inside the guest. The guest reaches nothing besides (restrict=on).
"""
import os
import pwd
import shutil
import socket
import subprocess

from sides import Failed, own_rights

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
GUEST, HOST = "10.0.2.15", "10.0.2.100"

SSHD = """Port 22
HostKey {home}/host_key
AuthorizedKeysFile {home}/user_key.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PidFile none
SetEnv MIG_RUN={run} PATH={home}:/usr/bin:/bin
"""

CLIENT = """User {user}
IdentityFile {home}/user_key
UserKnownHostsFile /dev/null
StrictHostKeyChecking no
LogLevel ERROR
Host there
  HostName 127.0.0.1
  Port {port}
Host here
  HostName {host}
"""

UP = """modprobe virtio_net
device=$(ls /sys/class/net | grep -v lo)
ip address add {guest}/24 dev $device && ip link set $device up
mkdir -p -m 755 /run/sshd
"""

LISTENS = f"""i=0
until ssh-keyscan -T 5 {GUEST} 2>/dev/null | grep -q ssh; do
  i=$((i+1)); [ $i -lt 60 ] || exit 1
  sleep 0.5
done"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


class Network:
    """Its files, at the same place on both sides. Made before the guest, which needs options()."""

    def __init__(self, directory, build):
        self.home, self.port = directory / "ssh", free_port()
        self.home.mkdir(mode=0o700)
        self.user = pwd.getpwuid(os.getuid()).pw_name
        for key in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.home / key], check=True)
        (self.home / "sshd_config").write_text(SSHD.format(home=self.home, run=directory / "run"))
        (self.home / "config").write_text(CLIENT.format(home=self.home, port=self.port, host=HOST, user=self.user))
        self.program("ssh", f"/usr/bin/ssh -F {self.home}/config")
        self.program("mig", f"{build}/tools/mig")

    @staticmethod
    def missing():
        """What this machine lacks, in words. None of it is installed for this: a server would begin to listen."""
        lacking = [p for p in ("sshd", "ssh", "ssh-keygen") if not shutil.which(p, path=PATH)]
        return f"not installed: {', '.join(lacking)} (openssh-server, openssh-client)" if lacking else ""

    def program(self, name, words):
        path = self.home / name
        path.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        path.chmod(0o755)

    def options(self):
        """QEMU's. No ROM: nobody boots from this card."""
        sshd = f"/usr/sbin/sshd -i -f {self.home}/sshd_config"
        net = f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-{GUEST}:22,guestfwd=tcp:{HOST}:22-cmd:{sshd}"
        return ["-netdev", net, "-device", "virtio-net-pci,netdev=net,romfile="]

    def begin(self, here, there):
        """As root there; whoever logs in gets the limits that he has here."""
        for side in (here, there):
            side.env["PATH"] = f"{self.home}:{side.env['PATH']}"
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        there.install([self.home])
        account = f"grep -q '^{self.user}:' /etc/passwd || echo '{self.user}:*:{os.getuid()}:{os.getgid()}::/tmp:/bin/sh' >>/etc/passwd\n"
        rights = [0, 0, [], (1 << 64) - 1, own_rights()[4]]
        status, _, error = there.guest.run(["sh", "-c", UP.format(guest=GUEST) + account])
        if status:
            raise Failed(f"there is no network: {error}")
        there.guest.spawn(["/usr/sbin/sshd", "-D", "-e", "-f", self.home / "sshd_config"], "/run/sshd.log", ids=rights)
        there.need(["sh", "-c", LISTENS], limit=120)
