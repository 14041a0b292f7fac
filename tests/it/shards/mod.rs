//! Several machines that share a list and a rate.

mod bound;
mod engines;
mod merge;
mod or_resume;
mod selection;

use crate::support::{Run, Work};

/// `run LIST` as one shard, into a folder of its own.
fn shard(work: &Work, list: impl AsRef<std::ffi::OsStr>, url: &str, shard: &str) -> Run {
    let out = format!("shard-{}", shard.replace('/', "-of-"));
    work.run_into(&out, list, url).args(["--shard", shard])
}
