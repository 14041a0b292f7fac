#!/usr/bin/env python3
# Writes recovered pairs into Redis; an example of a helper for `ghl-reconnect store --to exec:…`.
#     REDIS_URL=redis://:password@127.0.0.1:6379/0 ghl-reconnect store RUN_DIR --to exec:scripts/deploy/redis-store.py
# The app has a hash `ghl:{kind}:{id}` with access_token, refresh_token and expires_at (epoch ms): edit KEY and
# SCRIPT to what yours has. A hash that is not there is `missing`, unless the helper is given `--insert`.
# Python 3.8 and nothing else. The URL, with its password, comes from the environment, never from arguments.
"""Reads a JSON line a pair on standard input, answers a JSON line a pair on standard output."""

import json
import os
import socket
import ssl
import sys
from datetime import datetime
from urllib.parse import unquote, urlsplit

KEY = "ghl:{kind}:{id}"

# Redis runs a script as a whole: between the look and the write nobody else can write.
SCRIPT = """
local access, refresh, expires, insert = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local old = redis.call('HMGET', KEYS[1], 'access_token', 'refresh_token', 'expires_at')
local there = redis.call('EXISTS', KEYS[1]) == 1
if not there and insert ~= 'insert' then return 'missing' end
if old[1] == access and (old[2] or '') == refresh then return 'already' end
if old[3] and old[3] ~= '' then
  local stored, ours = tonumber(old[3]), tonumber(expires)
  if not stored then return {err = 'expires_at is no epoch in ms: edit SCRIPT to its format'} end
  if not ours then return {err = 'the pair has no expiry to compare with the stored one'} end
  if stored > ours then return 'newer' end
end
redis.call('HSET', KEYS[1], 'access_token', access, 'refresh_token', refresh, 'expires_at', expires)
return there and 'replaced' or 'inserted'
"""


class RedisError(Exception):
    """Redis understood and refused."""


class Redis:
    """One connection, spoken to in RESP."""

    def __init__(self, url):
        parts = urlsplit(url)
        if parts.scheme not in ("redis", "rediss") or not parts.hostname:
            raise SystemExit("REDIS_URL must be redis://[:password@]host[:port][/database], or rediss:// for TLS")
        link = socket.create_connection((parts.hostname, parts.port or 6379), timeout=10)
        if parts.scheme == "rediss":
            link = ssl.create_default_context().wrap_socket(link, server_hostname=parts.hostname)
        self.link, self.answers = link, link.makefile("rb")
        if parts.password:
            user = [unquote(parts.username)] if parts.username else []
            self.call("AUTH", *user, unquote(parts.password))
        if parts.path.strip("/"):
            self.call("SELECT", parts.path.strip("/"))

    def call(self, *words):
        """Sends a command and returns the answer."""
        words = [word.encode() for word in words]
        command = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        self.link.sendall(command)
        return self.answer()

    def answer(self):
        line = self.answers.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RedisError(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$" and int(rest) >= 0:
            return self.answers.read(int(rest) + 2)[:-2].decode(errors="replace")
        if kind == b"*" and int(rest) >= 0:
            return [self.answer() for _ in range(int(rest))]
        return rest.decode(errors="replace") if kind == b"+" else None


def epoch_ms(iso):
    """2026-11-22T10:00:00.000Z as milliseconds since 1970; empty where the expiry is not known."""
    if iso is None:
        return ""
    return str(round(datetime.fromisoformat(iso.replace("Z", "+00:00")).timestamp() * 1000))


def write(redis, pair, mode):
    """Writes a pair, and says what became of it."""
    key = KEY.format(kind=pair["kind"], id=pair["id"])
    values = [pair["access_token"], pair["refresh_token"] or "", epoch_ms(pair["expires_at"])]
    try:
        return {"outcome": redis.call("EVAL", SCRIPT, "1", key, *values, mode)}
    except RedisError as error:
        return {"outcome": "failed", "message": f"{key}: {error}"}


def main():
    url = os.environ.get("REDIS_URL")
    if not url:
        raise SystemExit("set REDIS_URL in the environment")
    mode = "insert" if sys.argv[1:] == ["--insert"] else "update"
    try:
        redis = Redis(url)
        for line in sys.stdin:
            pair = json.loads(line)
            answer = {"seq": pair["seq"], **write(redis, pair, mode)}
            print(json.dumps(answer), flush=True)
    except (OSError, RedisError) as error:
        # Redis is gone or lets nobody in: what is not answered is not written.
        raise SystemExit(f"Redis: {error}") from None


if __name__ == "__main__":
    main()
