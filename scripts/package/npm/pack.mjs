// Makes npm packages: one for a target with the program in it, and the thin one that picks it.
//     node scripts/package/npm/pack.mjs TARGET FOLDER     from the target's binary in FOLDER
//     node scripts/package/npm/pack.mjs thin FOLDER
// The packages are folders in FOLDER/npm; `npm pack` or `npm publish` does the rest.
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

const TARGETS = {
  "x86_64-unknown-linux-gnu": { os: "linux", cpu: "x64", libc: "glibc" },
  "aarch64-unknown-linux-gnu": { os: "linux", cpu: "arm64", libc: "glibc" },
  "x86_64-unknown-linux-musl": { os: "linux", cpu: "x64", libc: "musl" },
  "aarch64-unknown-linux-musl": { os: "linux", cpu: "arm64", libc: "musl" },
  "x86_64-apple-darwin": { os: "darwin", cpu: "x64" },
  "aarch64-apple-darwin": { os: "darwin", cpu: "arm64" },
  "x86_64-pc-windows-msvc": { os: "win32", cpu: "x64" },
};

const [target, folder] = process.argv.slice(2);
const top = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../../..");
const manifest = await readFile(join(top, "Cargo.toml"), "utf8");
const field = (name) => manifest.match(new RegExp(`^${name} = "(.*)"`, "m"))?.[1];
const common = {
  version: field("version"),
  description: field("description"),
  license: `(${field("license")})`,
  ...(field("repository") && { repository: { type: "git", url: `git+${field("repository")}.git` } }),
};

const nameOf = ({ os, cpu, libc }) => `ghl-reconnect-${os}-${cpu}${libc === "musl" ? "-musl" : ""}`;

async function write(json, files) {
  const place = join(folder, "npm", json.name);
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { recursive: true });
  await writeFile(join(place, "package.json"), `${JSON.stringify(json, null, 2)}\n`);
  for (const licence of ["LICENSE-APACHE", "LICENSE-MIT"]) {
    await copyFile(join(top, licence), join(place, licence));
  }
  for (const [from, to] of files) {
    await copyFile(from, join(place, to));
    if (!/\.(md|txt)$/.test(to)) await chmod(join(place, to), 0o755);
  }
  console.log(place);
}

if (target === "thin") {
  const packages = Object.values(TARGETS).map((platform) => [nameOf(platform), common.version]);
  await write(
    {
      name: "ghl-reconnect",
      ...common,
      bin: { "ghl-reconnect": "cli.js" },
      engines: { node: ">=18" },
      optionalDependencies: Object.fromEntries(packages),
    },
    [
      [join(top, "scripts/package/npm/cli.js"), "cli.js"],
      [join(top, "README.md"), "README.md"],
    ],
  );
} else {
  const { os, cpu, libc } = TARGETS[target];
  const program = os === "win32" ? "ghl-reconnect.exe" : "ghl-reconnect";
  await write(
    {
      name: nameOf(TARGETS[target]),
      ...common,
      description: `The program of ghl-reconnect for ${target}`,
      os: [os],
      cpu: [cpu],
      ...(libc && { libc: [libc] }),
      preferUnplugged: true,
    },
    [
      [join(folder, program), program],
      [join(folder, "THIRD-PARTY.txt"), "THIRD-PARTY.txt"],
    ],
  );
}
