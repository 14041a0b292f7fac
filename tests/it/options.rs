//! Options as people type them at night, and what is refused before a folder is made.

use crate::support::{StandIn, Work, locations};

#[test]
fn a_rate_without_a_unit_and_one_with_a_fraction_are_exact_bounds() {
    let (work, stand_in) = (Work::new(), StandIn::good());
    let list = work.file("list.csv", locations(1));
    for (folder, typed, recorded, window_ms, allowed) in
        [("a", "600", "600/s", 1000, 600), ("b", "1.5/s", "3/2s", 2000, 3)]
    {
        let run = work.run_into(folder, &list, &stand_in.url()).rate(typed);
        let ran = run.go().expect(0);
        assert!(ran.stderr.contains(&format!("2 at {recorded}")), "{}", ran.stderr);
        assert_eq!(ran.events("started")[0]["rate"], recorded);
        let summary = ran.summary();
        assert_eq!(summary["rate"]["asked"], recorded);
        assert_eq!(summary["rate"]["busiest_window"]["window_ms"], window_ms);
        assert_eq!(summary["rate"]["busiest_window"]["allowed"], allowed);
    }
}
