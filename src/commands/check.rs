//! `check`: reads and judges the list and shows the plan. Nothing is sent or written.

use anyhow::anyhow;

use super::planning::{Request, Whole};
use crate::{
    exit::{Exit, Fault},
    settings::args::{JsonOutput, RunArgs},
    terminal::{
        console::{Console, print_data},
        output::Output,
    },
};

/// Reads and judges the list and shows the plan.
pub fn check(args: &RunArgs, console: Console) -> Result<Exit, Fault> {
    if args.json == Some(JsonOutput::Events) {
        let error = anyhow!("--json=events: a plan has no events; use --json");
        return Output::begin(args.json, console)?.end(Err(Fault { exit: Exit::Usage, error }));
    }
    let planned = Request::of(args, Whole::Allowed, None)?.plan(args, None)?;
    let plan = &planned.plan;
    if args.json.is_some() {
        print_data(&format!("{:#}\n", plan.as_json()));
    } else {
        print_data(&format!("{plan}\n"));
    }
    let warnings = planned.warnings().into_iter().map(|warning| format!("warning: {warning}"));
    warnings.chain(planned.before_in_words()).for_each(|line| console.print(&line));
    if let Some((why, exit)) = planned.nothing_to_do() {
        console.print(&why);
        return Ok(exit);
    }
    planned.check_routes()?;
    let are_all_read = plan.summary.rejected.count == 0;
    Ok(if are_all_read { Exit::Recovered } else { Exit::NotAllRecovered })
}
