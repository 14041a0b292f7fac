//! `tokens`: the newest pair of each installation over a chain of runs, for who imports by hand.
//! Nothing is changed.

mod columns;
mod output;
mod table;
mod variables;

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, anyhow, ensure};

use self::{
    columns::OwnColumns,
    output::{BATCH, Output, UNWRITABLE},
    table::Table,
};
use crate::{
    exit::{Exit, Fault, OrExit},
    journal::disk::Disk,
    plan::counted,
    settings::args::{TokensArgs, TokensFormat},
    store::{
        pairs::Pairs,
        runs::{self, LookedAt},
    },
    terminal::console::Console,
};

/// Prints the pairs.
pub fn tokens(args: &TokensArgs, console: Console) -> Result<Exit, Fault> {
    check(args).or_exit(Exit::Usage)?;
    let runs = runs::look(&args.run_dirs, &Disk::default(), &|line| console.print(line))?;
    let own = OwnColumns::of(&runs, &args.columns).or_exit(Exit::Usage)?;
    let pairs = runs::pairs_of(&runs).or_exit(Exit::Local)?;
    if args.format == TokensFormat::Env {
        variables::check(&pairs).or_exit(Exit::Local)?.or_exit(Exit::Usage)?;
    }

    if io::stdout().is_terminal() {
        console.print("note: these are secrets, and a terminal keeps what it shows");
    }
    let out = Output::new(io::stdout().lock());
    match args.format {
        TokensFormat::Csv => print_table(&runs, &pairs, &own, out, console),
        TokensFormat::Jsonl => print_lines(&pairs, out),
        TokensFormat::Env => variables::print(&pairs, out),
    }
    .or_exit(Exit::Local)?;

    console.print(&in_words(&runs, &pairs));
    pairs.notes().iter().for_each(|line| console.print(&format!("note: {line}")));
    if pairs.are_whole() { Ok(Exit::Recovered) } else { Err(not_whole(&runs, &pairs)) }
}

fn check(args: &TokensArgs) -> anyhow::Result<()> {
    ensure!(
        args.columns.is_empty() || args.format == TokensFormat::Csv,
        "--columns: only a CSV has room for them; leave --format out"
    );
    Ok(())
}

fn print_table(
    runs: &[LookedAt],
    pairs: &Pairs,
    own: &OwnColumns,
    out: Output<impl Write>,
    console: Console,
) -> anyhow::Result<()> {
    let mut table = Table::begin(out, own.names()).context(UNWRITABLE)?;
    for batch in pairs.batches(BATCH) {
        let batch = batch?;
        let beside = own.cells(runs, &batch)?;
        for ((_, pair), beside) in batch.iter().zip(beside) {
            table.pair(pair, &beside).context(UNWRITABLE)?;
        }
    }
    let like_formulas = table.end().context(UNWRITABLE)?;
    if like_formulas > 0 {
        console.print(&format!(
            "note: {} with a cell that a spreadsheet would take for a formula; it stands as it came. \
             Import the file, do not open it in a spreadsheet",
            counted(like_formulas, "pair")
        ));
    }
    Ok(())
}

fn print_lines(pairs: &Pairs, mut out: Output<impl Write>) -> anyhow::Result<()> {
    pairs.each_line(|line| -> anyhow::Result<()> {
        out.write_all(line).and_then(|()| out.write_all(b"\n")).context(UNWRITABLE)
    })?;
    out.flush().context(UNWRITABLE)
}

fn in_words(runs: &[LookedAt], pairs: &Pairs) -> String {
    let count = u32::try_from(pairs.len()).unwrap_or(u32::MAX);
    let from = runs
        .iter()
        .zip(pairs.censuses())
        .map(|(run, census)| format!("{} of {}", census.newest, run.folder.path().display()));
    format!("{}: {}", counted(count, "pair"), from.collect::<Vec<_>>().join(", "))
}

/// What is printed is good; what is missing has to be asked for anew.
fn not_whole(runs: &[LookedAt], pairs: &Pairs) -> Fault {
    let damaged = runs.iter().zip(pairs.censuses());
    let damaged = damaged.filter(|(_, census)| census.missing > 0 || census.damaged > 0);
    let commands =
        damaged.map(|(run, _)| format!("\n  {}", runs::command("resume", &run.folder, "")));
    let error = anyhow!(
        "{}.\nWhat was printed is good. The others are asked for anew by:{}",
        pairs.damage().join(".\n"),
        commands.collect::<String>()
    );
    Fault { exit: Exit::Local, error }
}
