//! What the sandbox does: of a rehearsal, and as a process of its own.

use std::path::Path;

use anyhow::{Context, ensure};

use super::args::{RehearsalArgs, SandboxArgs};
use crate::sandbox::{self, FaultPlan, InstalledLocation, SeedError, StoredPair};

/// What the sandbox of a rehearsal does.
pub fn rehearsal(args: &RehearsalArgs) -> anyhow::Result<sandbox::Options> {
    Ok(sandbox::Options {
        faults: faults(args.sandbox_faults.as_deref(), args.sandbox_fault_file.as_deref())?,
        seed: args.sandbox_seed,
        ..sandbox::Options::default()
    })
}

/// What the sandbox of the `sandbox` command does.
pub fn sandbox(args: &SandboxArgs) -> anyhow::Result<sandbox::Options> {
    ensure!(
        args.listen.ip().is_loopback(),
        "--listen: {} is not a loopback address; the sandbox serves this machine only",
        args.listen.ip()
    );
    Ok(sandbox::Options {
        faults: faults(args.faults.as_deref(), args.fault_file.as_deref())?,
        seed: args.seed,
        code_life: args.code_life,
        latency: args.latency,
        stored: seeded("--stored", args.stored.as_deref(), StoredPair::from_file)?,
        installed: seeded("--installed", args.installed.as_deref(), InstalledLocation::from_file)?,
        ..sandbox::Options::default()
    })
}

/// What a file of the flag lets the sandbox know from the start.
fn seeded<T>(
    flag: &'static str,
    file: Option<&Path>,
    read: impl Fn(&Path) -> Result<Vec<T>, SeedError>,
) -> anyhow::Result<Vec<T>> {
    file.map(read).transpose().context(flag).map(Option::unwrap_or_default)
}

fn faults(shares: Option<&str>, file: Option<&Path>) -> anyhow::Result<FaultPlan> {
    let shares: FaultPlan = shares.map(str::parse).transpose()?.unwrap_or_default();
    let file = file.map(FaultPlan::from_file).transpose()?.unwrap_or_default();
    Ok(shares.merge(file)?)
}
