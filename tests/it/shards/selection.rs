//! Who has which row: every row has one shard, and keeps it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::json;

use super::shard;
use crate::support::{CLIENT_ID, MockServer, Ran, Work, company, location, locations};

/// The rows that a run has, by their numbers.
fn rows(ran: &Ran) -> BTreeMap<u64, String> {
    let rows = ran.results().into_iter();
    rows.map(|row| (row["row"].parse().unwrap(), row["id"].clone())).collect()
}

fn ids(ran: &Ran) -> BTreeSet<String> {
    rows(ran).into_values().collect()
}

/// Locations, agencies, repeated rows, and rows that nobody can read.
fn mixed(count: usize) -> String {
    let row = |n: usize| match n % 10 {
        7 => format!("{},\n", location(n - 1)),
        8 => "nonsense!,\n".to_owned(),
        9 => format!(",{}\n", company(n)),
        _ => format!("{},{}\n", location(n), company(1)),
    };
    (0..count).fold("location_id,company_id\n".to_owned(), |csv, n| csv + &row(n))
}

#[test]
fn the_shards_have_every_row_of_one_machine_once_under_its_number() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", mixed(60));
    let whole = work.run(&list, &server.url()).arg("--again").go().expect(1);
    let mut seen = BTreeMap::new();
    let mut input = 0;
    for number in 1..=3 {
        let ran = shard(&work, &list, &server.url(), &format!("{number}/3")).arg("--again").go();
        ran.assert_sound_after_kills(&server);
        let own = rows(&ran);
        assert!(own.len() > 5, "shares are of like sizes: {}", own.len());
        let is_first = number == 1;
        assert_eq!(ran.code, i32::from(is_first), "rejected rows are the first shard's");
        let books = &ran.summary()["books"];
        input += books["input"].as_u64().unwrap();
        assert_eq!((books["rejected"] == 6, books["duplicate"] == 6), (is_first, is_first));
        assert_eq!(
            (ran.rejected().len(), ran.events("duplicate").len() == 6),
            if is_first { (6, true) } else { (0, false) }
        );
        for (row, id) in own {
            assert_eq!(seen.insert(row, id), None, "row {row} has one shard");
        }
    }
    assert_eq!(seen, rows(&whole));
    assert_eq!(whole.summary()["books"]["input"], input);
}

#[test]
fn a_row_keeps_its_shard_whatever_is_around_it() {
    let (work, server) = (Work::new(), MockServer::good());
    let own = |name: &str, csv: &str, more: &[&str]| {
        let list = work.file("list.csv", csv);
        let run = work.run_into(name, list, &server.url()).args(["--shard", "2/3", "--again"]);
        ids(&run.args(more).go().expect(0))
    };
    let usual = own("usual", &locations(40), &[]);
    assert_eq!(usual.len(), 13, "of SHA-256 over app, scope and id");
    let mut lines: Vec<String> = (0..40).map(location).collect();
    lines.reverse();
    let reversed = format!(
        "plan,locationId\n{}",
        lines.iter().fold(String::new(), |csv, id| csv + "x," + id + "\n")
    );
    assert_eq!(own("reversed", &reversed, &[]), usual);
    let shorter = own("shorter", &locations(20), &[]);
    assert_eq!(shorter, usual.iter().filter(|id| **id < location(20)).cloned().collect());
    let named: Vec<String> = (10..30).map(location).collect();
    let only = work.file("only.txt", named.join("\n"));
    let only = own("only", &locations(40), &["--only", only.to_str().unwrap()]);
    assert_eq!(only, usual.iter().filter(|id| named.contains(id)).cloned().collect());
    // The first so many of the list, not of the shard.
    let limited = own("limited", &locations(40), &["--limit", "20"]);
    assert_eq!(limited, shorter);
    // Another key pair of the same app has the same shards, another app others.
    let app = CLIENT_ID.split('-').next().unwrap();
    let pair = own("pair", &locations(40), &["--client-id", &format!("{app}-other123")]);
    assert_eq!(pair, usual);
    let other = own("other", &locations(40), &["--client-id", "7620deb436802d88b810ef77-m1x2y3z4"]);
    assert_ne!(other, usual);
}

#[test]
fn the_failures_of_a_shard_are_its_own_and_go_on_at_its_share() {
    let faults = json!({ "*": ["unknown_id"] });
    let (work, server) = (Work::new(), MockServer::faulty(&faults));
    let list = work.file("list.csv", locations(12));
    let run = shard(&work, &list, &server.url(), "2/3").rate("100/s");
    let ran = run.args(["--give-up-after", "0"]).go().expect(1);
    let failed: BTreeSet<_> =
        ran.failures().into_iter().map(|row| row["location_id"].clone()).collect();
    assert_eq!(failed, ids(&ran));
    let next = ran.stdout.lines().find(|line| line.contains("ghl-reconnect run ")).unwrap();
    assert!(next.contains("--rate 33/s") && !next.contains("--shard"), "{next}");
    assert!(ran.stdout.contains("\nShard       2/3\n"), "{}", ran.stdout);
    let rate = &ran.summary()["rate"];
    assert_eq!((&rate["asked"], &rate["total"]), (&json!("33/s"), &json!("100/s")));
    assert_eq!(rate["busiest_window"]["allowed"], 33);
    let settings = &ran.events("started")[0]["settings"];
    assert_eq!((&settings["rate"], &settings["shard"]), (&json!("100/s"), &json!("2/3")));
}

#[test]
fn a_shard_without_rows_ends_well_with_a_run_folder() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(1));
    let mut with_a_row = 0;
    for number in 1..=3 {
        let ran = shard(&work, &list, &server.url(), &format!("{number}/3")).go().expect(0);
        ran.assert_books_balance();
        with_a_row += rows(&ran).len();
        assert_eq!(ran.events("ready").len(), 1);
        assert_eq!(ran.events("started")[0]["list"]["digest"], ran.events("ready")[0]["digest"]);
    }
    assert_eq!((with_a_row, server.requests()), (1, 2));
    // A list in which nobody finds anything is a mistake, in each shard.
    let nothing = work.file("nothing.csv", "location_id\n?\n");
    let ran = work.run_into("none", nothing, &server.url()).args(["--shard", "2/3"]).go().expect(2);
    assert!(ran.stderr.contains("no installation in it can be used"), "{}", ran.stderr);
    // The failures of a run without any are none for each shard.
    let failures = work.path("shard-1-of-3").join("failures.csv");
    assert_eq!(fs::read_to_string(&failures).unwrap().lines().count(), 1);
    for number in 1..=2 {
        let out = format!("again-{number}");
        let run = work.run_into(&out, &failures, &server.url());
        let ran = run.args(["--shard", &format!("{number}/2")]).go().expect(0);
        assert_eq!(ran.summary()["books"]["input"], 0);
    }
}

#[test]
fn resume_without_options_goes_on_as_the_shard_that_the_run_was() {
    let faults = json!({ "*": ["server_error*"] });
    let (work, server) = (Work::new(), MockServer::faulty(&faults));
    let list = work.file("list.csv", locations(12));
    let run = work.run(&list, &server.url()).args(["--shard", "3/3", "--attempts", "1"]);
    let ran = run.args(["--give-up-after", "0", "--max-outage", "1s"]).go();
    assert!(ran.code == 1 || ran.code == 3, "{}", ran.stderr);
    server.set_faults(&json!({}));
    let resumed = work.resume(&server.url()).arg("--retry-failed").go().expect(0);
    assert_eq!(resumed.events("resumed")[0]["settings"]["shard"], "3/3");
    assert_eq!(ids(&resumed), ids(&ran));
    let refused = work.resume(&server.url()).rate("2/s").go().expect(2);
    assert!(refused.stderr.contains("3 shards cannot share 2/s; say 20/10s"), "{}", refused.stderr);
}
