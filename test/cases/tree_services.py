"""Services that are several processes, with clients all the time: nginx and apache with workers, redis with a BGSAVE under way.

A connection that was open when the job was killed is reset, and the client connects again; every request that begins after
the restart must be answered.
"""
import http.client
import os
import signal
import socket
import threading
import time

from cases.programs import free_port
from runner.case import ORDINARY, Failure, Skip
from runner.job import Job
from runner.main import Test

GENERATIONS = 3


class Load:
    """Clients that ask again and again. A failure counts unless the service was away when the
    request began, or since its connection was made."""

    def __init__(self, case, port, path, wanted, clients=4):
        self.port, self.path, self.wanted = port, path, wanted
        self.away, self.absences, self.over = False, 0, False
        self.answered, self.failures = 0, []
        self.threads = [threading.Thread(target=self.ask, args=(n % 2 == 0,), daemon=True) for n in range(clients)]
        case.later(self.stop)
        for t in self.threads:
            t.start()

    def ask(self, keep):
        connection, born = None, 0
        while not self.over:
            away = self.away
            try:
                if not connection:
                    born = self.absences
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
                connection.request("GET", self.path, headers={} if keep else {"Connection": "close"})
                response = connection.getresponse()
                body = response.read()
                if response.status != 200 or body != self.wanted:
                    self.failures.append(f"{response.status} {body[:100]!r}")
                self.answered += 1
                if keep:
                    continue
            except (OSError, http.client.HTTPException) as error:
                if not away and born == self.absences:
                    self.failures.append(repr(error))
                time.sleep(0.01)
            connection.close()
            connection = None

    def leave(self):
        self.away = True
        self.absences += 1

    def come_back(self):
        self.away = False

    def more(self, case, count, pid):
        before = self.answered
        case.wait(lambda: self.answered >= before + count or self.failures, f"{count} answers", 15, pid)
        self.check()

    def check(self):
        if self.failures:
            raise Failure(f"{len(self.failures)} requests failed: {self.failures[:5]}")

    def stop(self):
        self.over = True
        for t in self.threads:
            t.join(25)


def served(case, argv, port, quit, **options):
    """A web server under load through all restarts, which then ends as it should."""
    page = (b"a page of some length\n" * 3000)
    case.file("www/page", page)
    job = Job(case)
    case.later(job.release)
    job.start(argv, **options)
    case.wait(lambda: listens(port), "listening socket", 15, job.pid)
    load = Load(case, port, "/page", page)
    load.more(case, 100, job.pid)
    for g in range(GENERATIONS):
        job.checkpoint()
        load.more(case, 50, job.pid)
        load.leave()
        job.checkpoint_and_kill()
        job.restart()
        load.come_back()
        load.more(case, 200, job.pid)
    workers = [p for p in job.processes() if p["pid"] != job.pid]
    if len(workers) < 2:
        raise Failure(f"workers are missing: {job.processes()}")
    load.stop()
    load.check()
    os.kill(job.pid, quit)
    if status := case.end_status(job.pid, 15):
        raise Failure(f"it ended with {status}")
    case.wait(lambda: not job.processes(), "end of the workers")


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return True
    except OSError:
        return False


NGINX = """daemon off;
worker_processes 2;
pid {scratch}/nginx.pid;
error_log {scratch}/error.log;
events {{ worker_connections 64; accept_mutex on; }}
http {{
  access_log off;
  client_body_temp_path {scratch}/t1;
  proxy_temp_path {scratch}/t2;
  fastcgi_temp_path {scratch}/t3;
  uwsgi_temp_path {scratch}/t4;
  scgi_temp_path {scratch}/t5;
  limit_req_zone $binary_remote_addr zone=all:1m rate=100000r/s;
  server {{ listen 127.0.0.1:{port}; root {scratch}/www; limit_req zone=all burst=1000; keepalive_requests 1000000; }}
}}
"""

APACHE = """ServerRoot {scratch}
ServerName localhost
PidFile {scratch}/apache.pid
DefaultRuntimeDir {scratch}
ErrorLog {scratch}/error.log
Listen 127.0.0.1:{port}
Listen 127.0.0.1:{second}
LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
StartServers 3
MinSpareServers 2
MaxSpareServers 6
MaxRequestWorkers 8
KeepAlive On
MaxKeepAliveRequests 0
DocumentRoot {scratch}/www
"""


def need(program):
    if not os.access(program, os.X_OK):
        raise Skip(f"{program} is not installed")


def nginx(case):
    need("/usr/sbin/nginx")
    port = free_port()
    case.directory("www")
    conf = case.file("nginx.conf", NGINX.format(scratch=case.scratch, port=port))
    served(case, ["/usr/sbin/nginx", "-e", case.scratch / "error.log", "-p", case.scratch, "-c", conf], port, signal.SIGQUIT)


def apache(case):
    need("/usr/sbin/apache2")
    port, second = free_port(), free_port()
    case.directory("www")
    conf = case.file("apache.conf", APACHE.format(scratch=case.scratch, port=port, second=second))
    served(case, ["/usr/sbin/apache2", "-DFOREGROUND", "-f", conf], port, signal.SIGTERM)


class Redis:
    def __init__(self, case, start, *options):
        self.port = free_port()
        self.process = start(["/usr/bin/redis-server", "--port", self.port, "--save", "", "--dir", case.scratch, "--daemonize", "no", *options])
        case.wait(self.ready, "answer of redis", pid=self.process.pid)

    def ask(self, *words):
        with socket.create_connection(("127.0.0.1", self.port), 5) as s:
            s.sendall(" ".join(map(str, words)).encode() + b"\r\n")
            return s.recv(65536).decode().strip()

    def ready(self):
        try:
            return self.ask("ping") == "+PONG"
        except OSError:
            return False

    def persistence(self, name):
        return next(l.partition(":")[2] for l in self.ask("info", "persistence").splitlines() if l.startswith(name + ":"))


def redis(case):
    """A child writes the data as they were when it began, while the server goes on changing them."""
    need("/usr/bin/redis-server")
    job = Job(case)
    case.later(job.release)
    server = Redis(case, job.start, "--rdb-key-save-delay", 15000)
    for n in range(500):
        server.ask("set", f"key{n}", f"value{n}")
    if not server.ask("bgsave").startswith("+Background saving started"):
        raise Failure("no BGSAVE")
    for g in range(GENERATIONS):
        job.checkpoint_and_kill()
        job.restart()
        case.wait(server.ready, "answer of redis after the restart", pid=job.pid)
        if server.persistence("rdb_bgsave_in_progress") != "1":
            raise Failure(f"the BGSAVE is not under way after restart {g + 1}")
        server.ask("set", f"key{g}", "changed")
    case.wait(lambda: server.persistence("rdb_bgsave_in_progress") == "0", "end of the BGSAVE", pid=job.pid)
    if (said := server.persistence("rdb_last_bgsave_status")) != "ok":
        raise Failure(f"the BGSAVE ended with {said}")
    if "changed" not in server.ask("get", "key1"):
        raise Failure("the server lost a change")
    end(case, server, job.pid)
    second = Redis(case, case.spawn)
    for n in (0, 1, 2, 321, 499):
        if second.ask("get", f"key{n}") != f"${len(f'value{n}')}\r\nvalue{n}" or second.ask("dbsize") != ":500":
            raise Failure(f"saved: key{n} {second.ask('get', f'key{n}')!r}, {second.ask('dbsize')!r}")
    end(case, second, second.process.pid)


def end(case, server, pid):
    with socket.create_connection(("127.0.0.1", server.port), 5) as s:
        s.sendall(b"shutdown nosave\r\n")
    if status := case.end_status(pid, 15):
        raise Failure(f"redis ended with {status}")


def tests(options):
    user = ORDINARY if os.geteuid() == 0 else None
    return [Test(f"tree/{name}", function, user=user, timeout=180) for name, function in (("nginx", nginx), ("apache", apache), ("redis-bgsave", redis))]
