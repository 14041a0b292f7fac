//! `check`: reads and judges the list and shows the plan. Nothing is sent or written.

use std::io::{self, Write};

use super::planning::{Request, Whole};
use crate::{
    exit::{Exit, Fault},
    settings::args::RunArgs,
    terminal::console::print_data,
};

/// Reads and judges the list and shows the plan.
pub fn check(args: &RunArgs) -> Result<Exit, Fault> {
    let planned = Request::of(args, Whole::Allowed, None)?.plan(args, None)?;
    let plan = &planned.plan;
    if args.json {
        print_data(&format!("{:#}\n", plan.as_json()));
    } else {
        print_data(&format!("{plan}\n"));
    }
    let warnings = planned.warnings().into_iter().map(|warning| format!("warning: {warning}"));
    for line in warnings.chain(planned.before_in_words()) {
        let _ = writeln!(io::stderr(), "{line}");
    }
    if let Some(nothing_left) = planned.nothing_left() {
        let _ = writeln!(io::stderr(), "{nothing_left}");
        return Ok(Exit::Recovered);
    }
    planned.check_routes()?;
    let are_all_read = plan.summary.rejected.count == 0;
    Ok(if are_all_read { Exit::Recovered } else { Exit::NotAllRecovered })
}
