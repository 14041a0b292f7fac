//! What is typed after `merge`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `merge`.
#[derive(Debug, Args)]
#[command(
    after_help = "The new folder is one machine's run, with its files, its tokens and its exit code: report, \
                  status, store, tokens, and a run over its failures.csv work on it. The folders of the \
                  shards stay as they are.\n\n\
                  Nothing is written unless the folders are all the shards of one list, each once, with one \
                  app, version and API, and nobody works in any. A shard that was halted, interrupted or \
                  killed counts as it is: start it again with its own command first, if it is to go on.\n\n\
                  Exit codes: those of the merged run (0 all recovered, 1 some not recovered, or a shard \
                  missing or not ended, 3 halted, 5 a bug, 130/143 interrupted), 2 refused, 4 a shard is in \
                  use or its files are damaged.\n\n\
                  explain shards has the whole way; scripts/deploy/ has files for Kubernetes, AWS Batch, \
                  Slurm and GNU parallel."
)]
pub struct MergeArgs {
    /// The run folders of all shards, in any order
    #[arg(required = true, value_name = "RUN_DIR")]
    pub run_dirs: Vec<PathBuf>,
    /// The new run folder, which must not exist yet
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Join what there is: the rows of missing shards count as not attempted, and the exit code is not 0
    #[arg(long)]
    pub partial: bool,
    /// With --partial: the list, where the shards' own path to it does not lead to it any more
    #[arg(long, value_name = "FILE", requires = "partial")]
    pub list: Option<PathBuf>,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}
