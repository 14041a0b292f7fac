"""GNU parallel: 8 shards against one sandbox process, and one machine's run to compare with."""

import os
import subprocess

from support import DEPLOY, Sandbox, check_audit, env_file, location, need, summary, timeless, work, write_list

COUNT = 80
FAULTS = {location(3): ["unknown_id*"], location(30): ["not_installed*"], location(41): ["server_error", "ok"]}


def check(program):
    need("parallel")
    with work() as folder, Sandbox(program) as sandbox, Sandbox(program) as other:
        home = {**os.environ, "HOME": str(folder), "GHL_RECONNECT": str(program)}
        listed = write_list(folder / "list.csv", COUNT)
        options = ["--env-file", env_file(folder), "--attempts", "3"]
        for server in (sandbox, other):
            server.faults(FAULTS)
        command = [DEPLOY / "gnu-parallel.sh", listed, folder / "runs", "--base-url", sandbox.url, *options]
        first = subprocess.run(command, env=home, capture_output=True, text=True)
        assert first.returncode == 1, f"{first.returncode}: {first.stdout}{first.stderr}"
        merged = folder / "runs" / "merged"

        audit = sandbox.audit()
        check_audit(audit, 100, 10)
        asked = [request["id"] for request in audit["requests"] if request["step"] == "reconnect"]
        retried = [location(41)]
        assert sorted(asked) == sorted([location(n) for n in range(COUNT)] + retried), "every id once"

        # The same command again sends nothing, and does not merge into a folder that is there.
        before = sandbox.requests()
        again = subprocess.run(command, env=home, capture_output=True, text=True)
        assert again.returncode == 2 and "exists already" in again.stderr, again.stderr
        assert sandbox.requests() == before

        whole = folder / "whole"
        one = [program, "run", listed, "--out", whole, "--base-url", other.url, "--rate", "100/10s", "--again", *options]
        ran = subprocess.run(one, env=home, capture_output=True, text=True)
        assert ran.returncode == 1, ran.stderr
        assert timeless(merged) == timeless(whole), "the same rows as one machine's"
        for figures in ("books", "calls", "state", "exit_code", "tokens"):
            assert summary(merged)[figures] == summary(whole)[figures], figures
        assert summary(merged)["rate"]["asked"] == "100/10s"
        assert summary(merged)["rate"]["busiest_window"]["starts"] <= 100
