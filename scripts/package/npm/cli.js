#!/usr/bin/env node
// Finds the program in the package of this platform and runs it in place of this process.
"use strict";

const { spawn } = require("node:child_process");

// Without glibc a Linux has musl. A report looks up no hosts for that.
function libc() {
  if (process.platform !== "linux") return "";
  process.report.excludeNetwork = true;
  return process.report.getReport().header.glibcVersionRuntime ? "" : "-musl";
}

const platform = `${process.platform}-${process.arch}${libc()}`;
const name = process.platform === "win32" ? "ghl-reconnect.exe" : "ghl-reconnect";

let program;
try {
  program = require.resolve(`ghl-reconnect-${platform}/${name}`);
} catch {
  console.error(
    `error: there is no ghl-reconnect for ${platform}, or npm left it out.\n` +
      "Install again without --omit=optional, or build it with Rust: cargo install ghl-reconnect",
  );
  process.exit(2);
}

const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });

// A terminal sends its interrupt to both processes. Passed on, it would reach the program twice, and a
// second one stops a run at once.
const terminal = process.stdin.isTTY || process.stderr.isTTY;
process.on("SIGINT", () => terminal || child.kill("SIGINT"));
for (const signal of ["SIGTERM", "SIGHUP"]) {
  process.on(signal, () => child.kill(signal));
}

child.on("error", (error) => {
  console.error(`error: cannot start ${program}: ${error.message}`);
  process.exit(4);
});
child.on("exit", (code, signal) => {
  if (signal) {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  } else {
    process.exit(code);
  }
});
