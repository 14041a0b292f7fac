//! What is typed of the app's own store.

use std::path::PathBuf;

use clap::Args;

use crate::settings::{duration, path::path_in_full, store_choice::StoreChoice};

/// Which store, and how pairs go there: the options that `store`, `run` and `resume` share.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Store")]
pub struct ToArgs {
    /// Your app's own token store, where the pairs are written: env:NAME for a variable with a URL
    /// (of the environment or --env-file), a URL without password, a SQLite file, or exec:PROGRAM.
    /// PostgreSQL, Supabase, Neon, MySQL, MariaDB, SQLite
    #[arg(long, value_name = "WHERE")]
    pub to: Option<String>,
    /// The table, where several could be meant
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,
    /// A mapping file (TOML) that says which field of a pair goes into which column; without it they
    /// are found by their names and proven by the ids of the run
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// Make the rows that are missing
    #[arg(long)]
    pub insert: bool,
    /// Leave status and error columns as they are
    #[arg(long)]
    pub keep_status: bool,
}

impl ToArgs {
    /// What was typed; what was not is as before. `None` where no store is named.
    pub fn choice(&self, before: Option<StoreChoice>) -> Option<StoreChoice> {
        let before = before.unwrap_or_default();
        let choice = StoreChoice {
            to: self.to.clone().or(before.to),
            table: self.table.clone().or(before.table),
            map: self.map.as_deref().map(path_in_full).or(before.map),
            insert: self.insert || before.insert,
            keep_status: self.keep_status || before.keep_status,
        };
        (choice.to.is_some() || choice.map.is_some()).then_some(choice)
    }
}

/// Arguments of `store`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each pair is written by compare-and-swap on exactly one row: a newer pair is left alone, the old row is
kept in replaced.jsonl first, and what was written is read back. Running it again changes nothing.
Stop your app's own token refresher first, or it may mark a row broken afterwards.

  ghl-reconnect store RUN_DIR --to env:DATABASE_URL --dry-run     shows what would be done
  ghl-reconnect store RUN_DIR --to env:DATABASE_URL
  ghl-reconnect store RUN_DIR --to env:DATABASE_URL --dry-run --print-map > map.toml

Exit codes: 0 every pair is in the store, 1 some are not, 2 nothing was written (a question, a mapping,
a URL), 3 the store refuses or is gone, 4 local fault (disk, lock, journal), 5 a pair reads back
differently. ghl-reconnect explain store has the mapping file and the rest.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct StoreArgs {
    /// The run folders; the earlier runs of their chains are taken in by themselves
    #[arg(required = true, value_name = "RUN_DIR")]
    pub run_dirs: Vec<PathBuf>,
    #[command(flatten)]
    /// Where to.
    pub to: ToArgs,
    /// File of KEY=VALUE lines in which the variable of --to is looked for before the environment
    #[arg(long, value_name = "FILE", help_heading = "Store")]
    pub env_file: Option<PathBuf>,
    /// How long a database may be away before the writing ends [default: 10m]
    #[arg(long, value_name = "TIME", value_parser = duration::parse, help_heading = "Store")]
    pub max_outage: Option<std::time::Duration>,
    /// Show what would be done and what would become of each pair, and write nothing
    #[arg(long, help_heading = "Output")]
    pub dry_run: bool,
    /// Print the mapping that was found, as TOML, and write nothing
    #[arg(long, requires = "dry_run", help_heading = "Output")]
    pub print_map: bool,
    /// Do not ask before the first row (without a terminal nothing is asked)
    #[arg(short, long, help_heading = "Output")]
    pub yes: bool,
    /// Print the plan and what became of the pairs as JSON
    #[arg(long, conflicts_with = "print_map", help_heading = "Output")]
    pub json: bool,
}
