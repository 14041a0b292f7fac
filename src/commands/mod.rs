//! The commands: each a short story in calls to the other modules.

mod callers;
mod check;
mod consent;
mod continuing;
mod discover;
mod explain;
mod folder;
mod host;
mod merge;
mod or_resume;
mod planning;
mod refusal;
mod report;
pub mod resume;
mod resumed_plan;
pub mod run;
mod sandbox;
mod skips;
mod status;
mod store;
mod store_before;
mod tokens;

use std::io::{self, Write};

use clap::CommandFactory;
use clap_mangen::roff::{Roff, roman};

use self::explain::topics::Topic;
use crate::{
    exit::{Exit, Fault, OrExit},
    journal::disk::Disk,
    settings::args::{Cli, Command},
    terminal::console::print_data,
};

pub use self::refusal::refuse;
pub use crate::terminal::console::Console;

/// Does what was asked for.
pub fn dispatch(cli: &Cli) -> Result<Exit, Fault> {
    match &cli.command {
        Command::Run(args) => run::run(args, Console::of(cli.verbosity), Disk::default()),
        Command::Resume(args) => resume::resume(args, Console::of(cli.verbosity), Disk::default()),
        Command::Check(args) => check::check(args, Console::of(cli.verbosity)),
        Command::Merge(args) => merge::merge(args, Console::of(cli.verbosity), Disk::default()),
        Command::Report(args) => report::report(args, Console::of(cli.verbosity)),
        Command::Discover(args) => discover::discover(args, Console::of(cli.verbosity)),
        Command::Explain { subject } => explain::explain(subject.as_deref()),
        Command::Classes => Ok(explain::table()),
        Command::Store(args) => store::store(args, Console::of(cli.verbosity)),
        Command::Status(args) => status::status(args),
        Command::Tokens(args) => tokens::tokens(args, Console::of(cli.verbosity)),
        Command::Sandbox(args) => sandbox::serve(args),
        Command::Completions { shell } => Ok(completions(*shell)),
        Command::Man => man(),
    }
}

fn completions(shell: clap_complete::Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), env!("CARGO_PKG_NAME"), &mut script);
    print_data(&String::from_utf8_lossy(&script));
    Exit::Recovered
}

fn man() -> Result<Exit, Fault> {
    let mut page = Vec::new();
    render_man(&mut page).or_exit(Exit::Local)?;
    print_data(&String::from_utf8_lossy(&page));
    Ok(Exit::Recovered)
}

/// One page for the program and all of its commands.
fn render_man(page: &mut Vec<u8>) -> io::Result<()> {
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(page)?;
    for sub in
        command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set())
    {
        let man = clap_mangen::Man::new(sub.clone());
        writeln!(page, ".SH \"COMMAND {}\"", sub.get_name().to_uppercase())?;
        man.render_synopsis_section(page)?;
        man.render_options_section(page)?;
    }
    explain::topics::TOPICS.iter().try_for_each(|topic| render_topic(page, topic))
}

/// A topic of `explain` as a section, its lines as they stand.
fn render_topic(page: &mut Vec<u8>, topic: &Topic) -> io::Result<()> {
    let mut section = Roff::new();
    section.control("SH", [topic.name.to_uppercase().as_str()]);
    section.control("nf", []);
    for line in topic.text().lines() {
        section.text([roman(line)]);
    }
    section.control("fi", []);
    section.to_writer(page)
}
