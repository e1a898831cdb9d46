"""The systems that are compared: real processes on loopback, with their data in one directory."""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

PATIENCE = 20  # Seconds within which a system has to be ready.
TICKS = os.sysconf("SC_CLK_TCK")


class NotReady(Exception):
    pass


def free_ports(count):
    """Below those that the kernel chooses: of these an outgoing connection may take one any moment."""
    ports = []
    port = random.randrange(10_000, 30_000)
    while len(ports) < count:
        port += 1
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        ports.append(port)
    return ports


def environment():
    """Without what would send calls to a proxy."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


class System:
    """Starts processes, and ends them all.  start() may fail or be interrupted halfway; stop() ends
    what there is then."""

    def __init__(self, binaries, directory):
        self.binaries = binaries
        self.directory = directory
        self.processes = []
        os.makedirs(directory)

    def start(self):
        """Returns when it is ready, with its address in `server`."""
        raise NotImplementedError

    def program_of_ours(self, name):
        return os.path.join(self.binaries, name)

    def spawn(self, name, command):
        log = open(os.path.join(self.directory, name + ".log"), "w")
        with log:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment(),
                stdin=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def address(self, process):
        """The last word of the line with which a process says that it is ready."""
        line = process.stdout.readline()
        if not line:
            raise NotReady(f"{process.args[0]} has ended; see its log in {self.directory}")
        return line.split()[-1]

    def until(self, what, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            if any(process.poll() is not None for process in self.processes):
                raise NotReady(f"a process has ended; see the logs in {self.directory}")
            if time.monotonic() > end:
                raise NotReady(f"gave up waiting for {what}; see the logs in {self.directory}")
            time.sleep(0.02)

    def pids(self):
        return [process.pid for process in self.processes]

    def cpu_seconds(self):
        """Of all its processes so far."""
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def pin(self, cpus):
        """Runs every thread of it on these CPUs only."""
        for pid in self.pids():
            for thread in os.listdir(f"/proc/{pid}/task"):
                try:
                    os.sched_setaffinity(int(thread), cpus)
                except ProcessLookupError:
                    pass  # It has ended meanwhile.

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
        for process in self.processes:
            process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class Echo(System):
    def start(self):
        self.server = self.address(
            self.spawn("echo", [self.program_of_ours("bench-load"), "serve-echo"]))


class Disk(System):
    """The directory itself."""

    def start(self):
        self.server = self.directory


class Gavel(System):
    """A master and a chain of three, as shipped: every node syncs before a bid is answered."""

    members = 3

    def start(self):
        master = self.address(self.spawn("master", [
            self.program_of_ours("gavel-master"), "--listen", "127.0.0.1:0", "--replicas",
            str(self.members), "--data", os.path.join(self.directory, "master")]))
        nodes = [self.spawn(name, [
            self.program_of_ours("gavel-node"), "--name", name, "--listen", "127.0.0.1:0",
            "--master", master, "--data", os.path.join(self.directory, name)])
            for name in (f"n{i + 1}" for i in range(self.members))]
        self.server = ",".join([master] + [self.address(node) for node in nodes])


class Redis(System):
    """A master and two replicas; each appends every write to its file and syncs it before it says
    that it has it.  Without rewriting that file, which would only cost it time."""

    program = "redis-server"

    def start(self):
        ports = free_ports(3)
        for port in ports:
            data = os.path.join(self.directory, str(port))
            os.makedirs(data)
            command = [
                self.program, "--port", str(port), "--bind", "127.0.0.1", "--dir", data,
                "--appendonly", "yes", "--appendfsync", "always", "--save", "",
                "--auto-aof-rewrite-percentage", "0", "--logfile", os.path.join(data, "log")]
            if port != ports[0]:
                command += ["--replicaof", "127.0.0.1", str(ports[0])]
            self.spawn(f"redis-{port}", command)
        self.server = f"127.0.0.1:{ports[0]}"
        self.until("two replicas of Redis", lambda: self.replicas(ports[0]) == 2)

    @staticmethod
    def replicas(port):
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as connection:
                connection.sendall(b"INFO replication\r\n")
                return connection.recv(65536).count(b"state=online")
        except OSError:
            return 0

    @classmethod
    def version(cls):
        words = subprocess.check_output([cls.program, "--version"], text=True).split()
        return "Redis " + next(word[2:] for word in words if word.startswith("v="))


class Etcd(System):
    """Three members with the settings they come with: a transaction is answered when most of them
    have synced it."""

    program = "etcd"

    def start(self):
        ports = free_ports(6)
        clients, peers = ports[:3], ports[3:]
        url = "http://127.0.0.1:{}".format
        cluster = ",".join(f"m{i}={url(peer)}" for i, peer in enumerate(peers))
        for i in range(3):
            self.spawn(f"m{i}", [
                self.program, "--name", f"m{i}", "--data-dir", os.path.join(self.directory, f"m{i}"),
                "--listen-client-urls", url(clients[i]), "--advertise-client-urls", url(clients[i]),
                "--listen-peer-urls", url(peers[i]), "--initial-advertise-peer-urls", url(peers[i]),
                "--initial-cluster", cluster, "--initial-cluster-state", "new",
                "--log-level", "error"])
        self.server = ",".join(f"127.0.0.1:{port}" for port in clients)
        for port in clients:
            self.until("etcd", lambda: self.healthy(url(port)))

    @staticmethod
    def healthy(url):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url + "/health", timeout=5) as answer:
                return b'"true"' in answer.read()
        except OSError:
            return False

    @classmethod
    def version(cls):
        line = subprocess.check_output([cls.program, "--version"], text=True).splitlines()[0]
        return "etcd " + line.split()[-1]
