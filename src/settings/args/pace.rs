//! How fast and how often, as it is typed.

use std::num::NonZeroU32;

use clap::Args;

use crate::{
    pace::{AskedRate, Rate},
    plan::max_failures::MaxFailures,
    settings::duration,
};

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
