//! Every flag and its help: what was typed.

#![expect(clippy::doc_markdown, reason = "doc comments here are help texts, where backticks show")]

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::{duration, execution::TICKET_LIMIT};
use crate::{
    highlevel::{
        endpoint::{HIGHLEVEL, RECONNECT_PATH},
        token_check::TokenCheckPath,
        version::ApiVersion,
    },
    input::{ColumnChoice, FirstLine, ScopeChoice},
    installation::Id,
    pace::{AskedRate, Rate},
    plan::max_failures::MaxFailures,
    route::RouteList,
};

/// Bulk recovery of HighLevel Marketplace app installations whose OAuth tokens died.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    long_about = "Gives every installation in a list a fresh token pair: asks HighLevel's Reconnect \
                  API for an authorization code, exchanges it at once, and keeps the tokens in a \
                  run folder with results, failures and trace ids.",
    after_help = "Exit codes: 0 all recovered, 1 some not recovered, 2 wrong usage or input (nothing \
                  sent), 3 halted, 4 local fault (disk, lock, journal), 5 a bug, 130/143 interrupted.",
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
    Run(Box<RunArgs>),
    /// Continue an interrupted or halted run, as it was asked for
    Resume(Box<ResumeArgs>),
    /// Read and judge the list and show the plan; no network, nothing written
    Check(Box<RunArgs>),
    /// Write the files of a run again from its journal
    Report(ReportArgs),
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
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say what happens to each installation
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to use colors; NO_COLOR is respected
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto)]
    pub color: ColorChoice,
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

/// Arguments of `run` and `check`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The list: CSV, JSON or JSON lines, recognised by its content; - reads standard input
    pub installations: PathBuf,
    #[command(flatten)]
    /// Which rows.
    pub list: ListArgs,
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
    /// Rehearsal.
    pub rehearsal: RehearsalArgs,
    #[command(flatten)]
    /// What goes to support.
    pub escalation: EscalationArgs,
    /// The run folder, which must not exist yet [default: named after the UTC time]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Show the plan only: no network, nothing written
    #[arg(long, help_heading = "Output")]
    pub dry_run: bool,
    /// Do not ask before the first call (without a terminal nothing is asked)
    #[arg(short, long, help_heading = "Output")]
    pub yes: bool,
    /// Print the summary (or, with check, the plan) as JSON
    #[arg(long, help_heading = "Output")]
    pub json: bool,
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

/// Which app, and where HighLevel is.
#[derive(Debug, Args)]
#[command(next_help_heading = "App")]
pub struct AppArgs {
    /// The app's client id ("clientKey") [env: GHL_CLIENT_ID]
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// File with the client secret; - reads standard input [env: GHL_CLIENT_SECRET]
    #[arg(long, value_name = "FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// File of KEY=VALUE lines with the GHL_… variables; goes before the environment. The run folder
    /// has its path, never its content: resume reads the file again
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// Sent with the exchange when given [env: GHL_REDIRECT_URI]
    #[arg(long, value_name = "URI")]
    pub redirect_uri: Option<String>,
    #[arg(long, value_name = "URL", help = format!("Where HighLevel is: https, or http on loopback [env: GHL_BASE_URL] [default: {HIGHLEVEL}]"))]
    /// Where HighLevel is.
    pub base_url: Option<String>,
    #[arg(long, value_name = "PATH", help = format!("Path of the Reconnect API, should it move [default: {RECONNECT_PATH}]"))]
    /// Path of the Reconnect API.
    pub reconnect_path: Option<String>,
    /// Tokens of agencies, in the shape of tokens.jsonl, for --via agency and for discover
    /// [env: GHL_AGENCY_TOKEN, the token itself]
    #[arg(long, value_name = "FILE")]
    pub agency_tokens: Option<PathBuf>,
    /// Version of the API for tokens, locations and trials; the Reconnect API has none [default: v2]
    #[arg(long, value_name = "VERSION", value_enum)]
    pub api_version: Option<ApiVersion>,
    /// TOML file of answer rows that say what HighLevel's answers mean, before the built-in ones
    #[arg(long, value_name = "FILE")]
    pub known_messages: Option<PathBuf>,
}

/// Which apps, where the list has rows of several.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "App")]
pub struct AppsArgs {
    /// TOML file of several apps, a table each with client_id, client_secret_env or
    /// client_secret_file, and perhaps redirect_uri; the list's column app names the table
    #[arg(long, value_name = "FILE")]
    pub apps: Option<PathBuf>,
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

/// How fast and how often. What is not given has its default, or, with `resume`, is as before.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Pace")]
pub struct PaceArgs {
    /// Request starts per time, a bound over any such time: 10/s (or 10), 1.5/s, 100/10s, 600/min,
    /// unlimited; or auto: begins at 10/s and climbs while answers stay quick and clean
    /// [default: 10/s]
    #[arg(long)]
    pub rate: Option<AskedRate>,
    /// How far --rate auto climbs [default: 50/s]
    #[arg(long, value_name = "RATE")]
    pub max_rate: Option<Rate>,
    /// Starts that may come at once after a quiet time; the bound over any time stays [default: 1]
    #[arg(long, value_name = "N")]
    pub burst: Option<NonZeroU32>,
    /// Installations in flight, 1 to 1024 [default: 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub concurrency: Option<u32>,
    /// Attempts for one installation, 1 to 100 [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub attempts: Option<u32>,
    /// How long a pause may last, when everything fails the same way, before the run halts
    /// [default: 10m]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub max_outage: Option<std::time::Duration>,
    /// Halt when more installations have failed: a number, or a share such as 10%, judged from the
    /// 20th that has ended; none: never [default: none]
    #[arg(long, value_name = "N|P%")]
    pub max_failures: Option<MaxFailures>,
    /// Halt when the first N installations have all failed, 0: never [default: 20]
    #[arg(long, value_name = "N")]
    pub give_up_after: Option<u32>,
    /// One request, connect to last byte [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub timeout: Option<std::time::Duration>,
}

/// Arguments of `discover`.
#[derive(Debug, Args)]
pub struct DiscoverArgs {
    /// The agency, where its token does not say it; else of all tokens only these agencies'
    #[arg(long, value_name = "ID", value_parser = parse_id)]
    pub company: Vec<Id>,
    /// Leave out the locations in which the app is not installed
    #[arg(long)]
    pub installed_only: bool,
    /// Write the list to FILE, which must not exist yet; after a fault the same command continues
    /// [default: standard output]
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    /// Which app.
    pub app: AppArgs,
    #[command(flatten)]
    /// How fast and how often.
    pub pace: ReadPaceArgs,
}

/// How fast and how often pages are read.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Pace")]
pub struct ReadPaceArgs {
    /// Request starts per time, a bound over any such time: 10/s (or 10), 1.5/s, 100/10s, 600/min,
    /// unlimited [default: 10/s]
    #[arg(long)]
    pub rate: Option<AskedRate>,
    /// How often one page is tried, 1 to 100 [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub attempts: Option<u32>,
    /// One request, connect to last byte [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub timeout: Option<std::time::Duration>,
}

impl ReadPaceArgs {
    /// As the arguments of a run.
    pub fn typed(self) -> PaceArgs {
        let Self { rate, attempts, timeout } = self;
        PaceArgs {
            rate,
            attempts,
            timeout,
            max_rate: None,
            burst: None,
            concurrency: None,
            max_outage: None,
            max_failures: None,
            give_up_after: None,
        }
    }
}

fn parse_id(text: &str) -> Result<Id, &'static str> {
    Id::new(text.trim()).ok_or("an id has 6 to 64 letters, digits, - or _")
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
    /// Rehearsal.
    pub rehearsal: RehearsalArgs,
    /// Do not ask before the first call (without a terminal nothing is asked)
    #[arg(short, long, help_heading = "Output")]
    pub yes: bool,
    /// Print the summary as JSON
    #[arg(long, help_heading = "Output")]
    pub json: bool,
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
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The run folder
    pub run_dir: PathBuf,
    /// Print the state as JSON
    #[arg(long)]
    pub json: bool,
}

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
