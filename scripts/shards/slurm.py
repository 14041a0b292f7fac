"""Slurm on one node, without cgroups: an array of 8, ended and queued again in the middle, and its merge."""

import contextlib
import getpass
import os
import socket
import subprocess
import time

from support import (DEPLOY, Sandbox, check_audit, env_file, events, location, need, rows, summary,
                     wait_for, work, write_list)

COUNT = 64
CONFIG = """\
ClusterName=shards
SlurmctldHost={host}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={port}
SlurmdPort={other_port}
MpiDefault=none
SlurmdParameters=config_overrides
KillWait=5
MinJobAge=300
ReturnToService=2
JobRequeue=1
NodeName={host} NodeHostname={host} NodeAddr=127.0.0.1 CPUs=16 Boards=1 SocketsPerBoard=1 CoresPerSocket=16 ThreadsPerCore=1 RealMemory=1000000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextlib.contextmanager
def cluster(folder):
    """A controller and a node of this check's own, with a munge of their own."""
    munged, mungekey, slurmctld, slurmd = need("munged", "mungekey", "slurmctld", "slurmd")
    need("sbatch", "scontrol", "scancel", "squeue")
    folder.chmod(0o755)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    host = os.uname().nodename.split(".")[0]
    port, other_port = free_ports(2)
    values = {"host": host, "user": getpass.getuser(), "folder": folder, "port": port, "other_port": other_port}
    config = folder / "slurm.conf"
    config.write_text(CONFIG.format(**values))
    key = folder / "munge.key"
    subprocess.run([mungekey, "--create", f"--keyfile={key}"], check=True)
    environment = {**os.environ, "SLURM_CONF": str(config)}
    processes = []

    def start(*command):
        processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    try:
        start(munged, "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket",
              f"--pid-file={folder}/munge.pid", f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed")
        wait_for("munge", 10, (folder / "munge.socket").exists)
        start(slurmctld, "-D", "-i", "-f", config)
        start(slurmd, "-D", "-f", config, "-N", host)

        def is_idle():
            told = subprocess.run(["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True)
            return told.stdout.strip() == "idle"

        wait_for("an idle node", 20, is_idle)
        yield environment
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in reversed(processes):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def check(program):
    with work() as folder, cluster(folder) as environment, Sandbox(program, "--latency", "30ms") as sandbox:
        environment = {**environment, "HOME": str(folder), "GHL_RECONNECT": str(program)}

        def call(*command, expected=0):
            ran = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder)
            assert ran.returncode == expected, f"{command}: {ran.returncode}\n{ran.stdout}{ran.stderr}"
            return ran.stdout

        def has_ended(job):
            return not call("squeue", "-h", "-o", "%i", "-j", job).strip()

        listed, runs = write_list(folder / "list.csv", COUNT), folder / "runs"
        options = ["--base-url", sandbox.url, "--env-file", env_file(folder)]
        submit = [DEPLOY / "slurm.sh", listed, runs, *options]
        told = call(*submit)
        array, merge = told.split()[1].rstrip(","), told.split()[3]

        # In the middle of it: one shard is queued again, and one is ended for good.
        wait_for("some calls", 60, lambda: sandbox.requests() > 25)
        has_begun = lambda shard: (runs / str(shard) / "journal.jsonl").exists()
        wait_for("the shards to begin", 30, lambda: has_begun(2) and has_begun(3))
        call("scontrol", "requeue", f"{array}_2")
        call("scancel", f"{array}_3")

        # Slurm lets a job that is queued again wait for two minutes, from when its old process has ended.
        updated = [0.0]

        def has_resumed():
            if time.monotonic() > updated[0] + 3:
                updated[0] = time.monotonic()
                update = ["scontrol", "update", f"JobId={array}_2", "StartTime=now"]
                subprocess.run(update, env=environment, capture_output=True)
            return events(runs / "2", "resumed")

        wait_for("shard 2 to resume", 90, has_resumed)

        # The merge comes after all of them, whatever became of them.
        wait_for("the merge", 120, lambda: has_ended(merge) and has_ended(array))
        merged = runs / "merged"
        state = summary(merged)["state"], summary(merged)["exit_code"]
        open_rows = [row["id"] for row in rows(merged) if row["status"] != "recovered"]
        assert open_rows and state[1] in (1, 143), f"a shard was ended for good: {state}, {open_rows}"
        of_third = {row["id"] for row in rows_by_journal(runs / "3")}
        assert set(open_rows) <= of_third, "nothing but the ended shard is open"

        # That shard alone, by its number, and another merge.
        alone = call("sbatch", "--parsable", "--array=3", DEPLOY / "slurm.sh", listed, runs, *options).strip()
        wait_for("the shard alone", 60, lambda: has_ended(alone))
        call(program, "merge", *[runs / str(shard) for shard in range(1, 9)], "--out", folder / "whole")
        whole = summary(folder / "whole")
        assert whole["books"]["recovered"] == COUNT and whole["state"] == "complete", whole["books"]
        assert [row["id"] for row in rows(folder / "whole")] == [location(n) for n in range(COUNT)]
        check_audit(sandbox.audit(), 100, 10)


def rows_by_journal(run):
    return [{"id": listed["installation"]["id"]} for listed in events(run, "listed")]
