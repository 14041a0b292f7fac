"""What the checks share: a sandbox process, lists, and the files of a run folder."""

import contextlib
import csv
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "scripts" / "deploy"
CREDENTIALS = "GHL_CLIENT_ID=66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef\nGHL_CLIENT_SECRET=6d3c5a52-6f5e-4a8e-9f3e-1c2b3a4d5e6f\n"

# Columns of results.csv that differ from run to run.
TIMES = {"reconnect_trace_id", "token_trace_id", "code_age_ms", "code_margin_ms", "started_at", "finished_at",
         "token_expires_at"}


class Missing(Exception):
    """A tool is not there."""


def need(*tools):
    """The paths of tools that have to be there."""
    paths = [shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin") for tool in tools]
    absent = [tool for tool, path in zip(tools, paths) if path is None]
    if absent:
        raise Missing(f"not installed: {', '.join(absent)}")
    return paths


@contextlib.contextmanager
def work():
    """A folder for a check, with a home of its own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ghl-shards-") as folder:
        yield Path(folder)


class Sandbox:
    """A mock server as a process of its own."""

    def __init__(self, program, *options):
        command = [program, "sandbox", "--seed", "7", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def _call(self, path, method="GET", body=None):
        request = urllib.request.Request(f"{self.url}/_sandbox/{path}", data=body, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def audit(self):
        return json.loads(self._call("audit"))

    def requests(self):
        return json.loads(self._call("counts"))["requests"]

    def faults(self, plan):
        self._call("faults", "PUT", json.dumps(plan).encode())


def location(number):
    return f"Loc{number:017}"


def write_list(path, count):
    path.write_text("location_id,plan\n" + "".join(f"{location(n)},plan {n}\n" for n in range(count)))
    return path


def env_file(folder):
    path = folder / "env"
    path.write_text(CREDENTIALS)
    path.chmod(0o600)
    return path


def rows(run, name="results.csv"):
    with open(run / name, newline="") as file:
        return list(csv.DictReader(file))


def timeless(run):
    return [{name: cell for name, cell in row.items() if name not in TIMES} for row in rows(run)]


def summary(run):
    return json.loads((run / "summary.json").read_text())


def events(run, kind):
    lines = map(json.loads, (run / "journal.jsonl").read_text().splitlines())
    return [event[kind] for event in lines if kind in event]


def check_audit(audit, allowed, seconds):
    """No code twice, and no window with more starts than all machines together may make."""
    presented = [code["code"] for code in audit["codes"] if code["presented"] > 1]
    assert not presented, f"codes presented twice: {presented}"
    starts = sorted(request["at_us"] for request in audit["requests"])
    oldest = 0
    for newest, start in enumerate(starts):
        # Arrivals jitter by some milliseconds.
        while starts[oldest] <= start - seconds * 1_000_000 + 20_000:
            oldest += 1
        assert newest - oldest + 1 <= allowed, f"{newest - oldest + 1} starts within {seconds} s, {allowed} allowed"


def wait_for(what, seconds, holds):
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(0.1)
    return found
