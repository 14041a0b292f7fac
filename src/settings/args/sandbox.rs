//! What is typed after `sandbox`.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;

use crate::settings::duration;

/// Arguments of `sandbox`.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Loopback address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Faults by share, such as rate_limited=5%,exchange:reset=1%
    #[arg(long, value_name = "SHARES")]
    pub faults: Option<String>,
    /// Faults by installation: a JSON file, id → list of faults
    #[arg(long, value_name = "FILE")]
    pub fault_file: Option<PathBuf>,
    /// Tokens that are known from the start: JSON lines as in tokens.jsonl
    #[arg(long, value_name = "FILE")]
    pub stored: Option<PathBuf>,
    /// Locations of agencies: JSON lines with _id, companyId and isInstalled
    #[arg(long, value_name = "FILE")]
    pub installed: Option<PathBuf>,
    /// The same seed gives the same faults
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How long a code lives
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    pub code_life: std::time::Duration,
    /// How long an answer takes
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration::parse)]
    pub latency: std::time::Duration,
    /// List the faults that there are
    #[arg(long)]
    pub list_faults: bool,
}
