//! Every flag and its help: what was typed.

#![expect(clippy::doc_markdown, reason = "doc comments here are help texts, where backticks show")]

mod app;
mod discover;
mod merge;
mod output;
mod pace;
mod sandbox;
mod store;
mod tokens;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub use self::{
    app::{AppArgs, AppsArgs},
    discover::DiscoverArgs,
    merge::MergeArgs,
    output::{JsonOutput, LogFormat, Recognised},
    pace::{PaceArgs, ReadPaceArgs},
    sandbox::SandboxArgs,
    store::{StoreArgs, ToArgs},
    tokens::{TokensArgs, TokensFormat},
};
use super::{asked_shard::AskedShard, execution::TICKET_LIMIT};
use crate::{
    highlevel::token_check::TokenCheckPath,
    input::{ColumnChoice, FirstLine, ScopeChoice},
    route::RouteList,
};

/// What `--version` prints: a release also names its commit and the commit's day.
const VERSION: &str = match option_env!("GHL_RECONNECT_RELEASE") {
    Some(release) => release,
    None => env!("CARGO_PKG_VERSION"),
};

/// Bulk recovery of HighLevel Marketplace app installations whose OAuth tokens died.
#[derive(Debug, Parser)]
#[command(
    version = VERSION,
    about,
    long_about = "Gives every installation in a list a fresh token pair: asks HighLevel's Reconnect \
                  API for an authorization code, exchanges it at once, and keeps the tokens in a \
                  run folder with results, failures and trace ids.",
    after_help = "Exit codes: 0 all recovered, 1 some not recovered, 2 wrong usage or input (nothing \
                  sent), 3 halted, 4 local fault (disk, lock, journal), 5 a bug, 130/143 interrupted. \
                  For engines that restart: explain shards.",
    max_term_width = 100
)]
pub struct Cli {
    #[command(subcommand)]
    /// What to do.
    pub command: Command,
    #[command(flatten)]
    /// How much to say.
    pub verbosity: TalkArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Recover every installation in the list
    #[command(
        after_help = "On several machines: explain shards. scripts/deploy/ has files for Kubernetes, AWS Batch, \
                      Slurm and GNU parallel."
    )]
    Run(Box<RunArgs>),
    /// Continue an interrupted or halted run, as it was asked for
    Resume(Box<ResumeArgs>),
    /// Read and judge the list and show the plan; no network, nothing written
    Check(Box<RunArgs>),
    /// Write the recovered pairs into your app's own token store
    Store(Box<StoreArgs>),
    /// Write the files of a run again from its journal
    Report(ReportArgs),
    /// Join the run folders of the shards of one list
    Merge(MergeArgs),
    /// List the locations of agencies as a list for run, with an agency's token
    Discover(Box<DiscoverArgs>),
    /// Explain a failure class or a topic; without a name, list all
    Explain {
        /// A class, as in the column error_class, or a topic
        #[arg(value_name = "CLASS|TOPIC")]
        subject: Option<String>,
    },
    /// Print the table from HighLevel's answers to classes
    #[command(hide = true)]
    Classes,
    /// Say where a run or a chain of runs stands, while it runs too; nothing is changed
    Status(StatusArgs),
    /// Print the newest token pair of each installation of a run and its chain: secrets, for an import
    /// by hand
    Tokens(TokensArgs),
    /// Serve the sandbox API on loopback
    Sandbox(SandboxArgs),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page (troff)
    Man,
}

/// How much to say.
#[derive(Clone, Copy, Debug, Args)]
pub struct TalkArgs {
    /// Print the result in one line, and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say what happens to each installation
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to use colors; NO_COLOR is respected
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto)]
    pub color: ColorChoice,
    /// Form of run.log and of what goes to standard error; json shows no progress bar
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// When to use colors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// In a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How installations are recovered: the options that `run` and `resume` share.
#[derive(Debug, Args)]
pub struct ExecutionArgs {
    #[command(flatten)]
    /// Which app.
    pub app: AppArgs,
    #[command(flatten)]
    /// Which apps, where there are several.
    pub apps: AppsArgs,
    #[command(flatten)]
    /// By which routes.
    pub routes: RouteArgs,
    #[command(flatten)]
    /// How fast and how often.
    pub pace: PaceArgs,
    #[command(flatten)]
    /// The app's own store.
    pub to: ToArgs,
    #[command(flatten)]
    /// Rehearsal.
    pub rehearsal: RehearsalArgs,
    #[command(flatten)]
    /// The page of the run.
    pub page: PageArgs,
}

/// The page of a run.
#[derive(Clone, Copy, Debug, Args)]
pub struct PageArgs {
    /// Do not write report.html; one that is there already is removed
    #[arg(long, help_heading = "Output")]
    pub no_html: bool,
}

/// Arguments of `run` and `check`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The list: CSV, JSON or JSON lines, recognised by its content; - reads standard input
    pub installations: PathBuf,
    #[command(flatten)]
    /// Which rows.
    pub list: ListArgs,
    #[command(flatten)]
    /// How they are recovered.
    pub execution: ExecutionArgs,
    #[command(flatten)]
    /// What goes to support.
    pub escalation: EscalationArgs,
    /// The run folder, which must not exist yet [default: named after the UTC time]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Continue the run in the folder of --out where this command has begun one: the same list, app,
    /// settings and shard. What it has completed is not done again
    #[arg(long, requires = "out", help_heading = "Output")]
    pub or_resume: bool,
    /// Show the plan only: no network, nothing written
    #[arg(long, help_heading = "Output")]
    pub dry_run: bool,
    /// Do not ask before the first call (without a terminal nothing is asked)
    #[arg(short, long, help_heading = "Output")]
    pub yes: bool,
    /// Print JSON on standard output and all prose on standard error; --json alone prints the summary
    #[arg(long, value_name = "WHAT", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "summary", help_heading = "Output")]
    pub json: Option<JsonOutput>,
}

/// Which rows of the list.
#[derive(Debug, Args)]
#[command(next_help_heading = "List")]
pub struct ListArgs {
    /// What a row is: auto takes a row with a location id for a sub-account, else for an agency
    #[arg(long, value_enum, default_value_t = ScopeChoice::Auto)]
    pub scope: ScopeChoice,
    /// The column of the ids, where its name says too little; with --no-header, its number from 1
    #[arg(long, value_name = "NAME")]
    pub id_column: Option<String>,
    /// The column of the company ids; with --no-header, its number
    #[arg(long, value_name = "NAME")]
    pub company_column: Option<String>,
    /// The column that says what a row is: Location or sub-account, Company or agency; with
    /// --no-header, its number
    #[arg(long, value_name = "NAME")]
    pub kind_column: Option<String>,
    /// The first line of the list is a row and no header, as INTO OUTFILE and \copy write it
    #[arg(long)]
    pub no_header: bool,
    /// Take only these installations: a file with their ids (any list format), or the ids
    /// themselves; may be repeated
    #[arg(long, value_name = "FILE|ID,ID")]
    pub only: Vec<PathBuf>,
    /// Of the failures.csv of a run, take every row. Without it a run takes those that are due by
    /// their column retry, and those that --only names: now; later, once the time at the end of message,
    /// or else 5 minutes after failed_at, is over. The others stay in failures.csv, and the exit code
    /// is 1; when none is due, nothing is sent
    #[arg(long)]
    pub all: bool,
    /// Take only the first N installations
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// The folder of the run whose failures the list is, when the list is not in it any more
    #[arg(long, value_name = "RUN_DIR")]
    pub parent: Option<PathBuf>,
    /// Recover installations too that any run of this user on this machine has recovered in the last
    /// 24 hours, with the same client id and base URL; without it they are skipped
    #[arg(long)]
    pub again: bool,
    /// Take one of N shares of the list, and a share of the rate: this machine is number I of N. With
    /// auto/N, Kubernetes, AWS Batch, Cloud Run, Slurm or Nomad says which (explain shards)
    #[arg(long, value_name = "I/N|auto/N")]
    pub shard: Option<AskedShard>,
}

impl ListArgs {
    /// What was said of the columns.
    pub fn columns(&self) -> ColumnChoice {
        ColumnChoice {
            id: self.id_column.clone(),
            company: self.company_column.clone(),
            kind: self.kind_column.clone(),
            first_line: if self.no_header { FirstLine::Record } else { FirstLine::Header },
        }
    }
}

/// What goes into escalation.md and escalation.csv.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Escalation")]
pub struct EscalationArgs {
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1000..=1_000_000), help = format!("Characters that a section of escalation.md has at most, as a ticket form takes them [default: {TICKET_LIMIT}]"))]
    /// Characters of a section.
    pub ticket_limit: Option<u32>,
    /// Columns of the list that escalation.csv may show to support (none unless they are named)
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub escalate_columns: Option<Vec<String>>,
}

impl EscalationArgs {
    /// Whether nothing was typed.
    pub fn is_empty(&self) -> bool {
        self.ticket_limit.is_none() && self.escalate_columns.is_none()
    }
}

/// By which routes tokens come back. What is not given has its default, or, with `resume`, is as
/// before.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Routes")]
pub struct RouteArgs {
    /// Routes in the order in which each installation tries them: refresh (the refresh token of
    /// the list), reconnect, agency (the token of the sub-account's agency) [default: reconnect]
    #[arg(long, value_name = "ROUTES")]
    pub via: Option<RouteList>,
    /// Let each new access token prove itself with one call before the installation counts as
    /// recovered
    #[arg(long)]
    pub verify: bool,
    /// Path for that call, with {locationId}, {companyId} or {id} in it [default: /locations/{id},
    /// /companies/{id}]
    #[arg(long, value_name = "PATH")]
    pub verify_path: Option<TokenCheckPath>,
    /// Try the access tokens that the list has first, and leave installations alone whose token is
    /// good
    #[arg(long)]
    pub skip_healthy: bool,
}

/// Rehearsal against the embedded sandbox.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Rehearsal")]
pub struct RehearsalArgs {
    /// Run against the embedded sandbox API: nothing leaves the machine, no credentials needed
    #[arg(long)]
    pub sandbox: bool,
    /// Faults of the sandbox by share, such as rate_limited=5%,server_error=2%; they last for one
    /// execution, and resume has none unless they are given again
    #[arg(long, value_name = "SHARES")]
    pub sandbox_faults: Option<String>,
    /// Faults of the sandbox by installation: a JSON file, id → list of faults; for one execution too
    #[arg(long, value_name = "FILE")]
    pub sandbox_fault_file: Option<PathBuf>,
    /// Seed of the sandbox's faults: the same seed gives the same faults
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub sandbox_seed: u64,
}

/// Arguments of `resume`. What is not given is as the last execution had it.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct ResumeArgs {
    /// The run folder
    pub run_dir: PathBuf,
    /// Take the failed installations too, not only the open ones
    #[arg(long)]
    pub retry_failed: bool,
    /// Recover installations too that another run of this user on this machine has recovered in the
    /// last 24 hours, with the same client id and base URL; without it they are skipped
    #[arg(long)]
    pub again: bool,
    /// The tokens recovered so far are where they belong, and tokens.jsonl was deleted: leave these
    /// installations alone from now on
    #[arg(long)]
    pub tokens_handed_on: bool,
    #[command(flatten)]
    /// How they are recovered.
    pub execution: ExecutionArgs,
    /// Do not ask before the first call (without a terminal nothing is asked)
    #[arg(short, long, help_heading = "Output")]
    pub yes: bool,
    /// Print JSON on standard output and all prose on standard error; --json alone prints the summary
    #[arg(long, value_name = "WHAT", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "summary", help_heading = "Output")]
    pub json: Option<JsonOutput>,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run folder
    pub run_dir: PathBuf,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    /// What goes to support; as the run has it, unless it is given.
    pub escalation: EscalationArgs,
    #[command(flatten)]
    /// Whether the page is written.
    pub page: PageArgs,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The run folder
    pub run_dir: PathBuf,
    /// Print the state as JSON; with --watch, a line each time
    #[arg(long)]
    pub json: bool,
    /// Look again every second until the run has ended; in a pipe, print what has changed
    #[arg(long)]
    pub watch: bool,
}
