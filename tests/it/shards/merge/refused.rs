//! What does not belong together is refused, and nothing is written.

use std::fs::File;

use serde_json::json;

use super::{folder, merge, names, shard};
use crate::support::{MockServer, Work, locations};

#[test]
fn whatever_is_no_whole_list_is_refused_before_anything_is_written() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(12));
    for name in ["1/3", "2/3", "3/3", "2/4"] {
        shard(&work, &list, &server.url(), name).arg("--again").go().expect(0);
    }
    let other = work.file("other.csv", locations(13));
    let more: [(&str, &std::path::Path, &[&str]); 4] = [
        ("other list", &other, &["--shard", "3/3"]),
        (
            "other app",
            &list,
            &["--shard", "3/3", "--client-id", "7620deb436802d88b810ef77-m1x2y3z4"],
        ),
        ("limited", &list, &["--shard", "3/3", "--limit", "5"]),
        ("alone", &list, &[]),
    ];
    for (out, list, options) in more {
        let run = work.run_into(out, list, &server.url()).arg("--again").args(options);
        run.go().expect(0);
    }
    let rehearsal = work.program(["run"]).arg(&list).args(["--sandbox", "--shard", "3/3", "--out"]);
    rehearsal.arg(work.path("rehearsed")).go().expect(0);
    let before = work.entries();
    let two = || [folder(&work, "1/3"), folder(&work, "2/3")];
    let cases: [(&str, &[&str]); 9] = [
        ("", &["shard 3/3 is missing", "--partial"]),
        ("shard-2-of-3", &["shard-2-of-3 is named twice"]),
        ("shard-2-of-4", &["the number of shards is 3 in the first and 4 in the second"]),
        ("other list", &["the list is", "list.csv (SHA-256", "other.csv (SHA-256"]),
        (
            "other app",
            &["the app is 66c1a6f5e4b0a1b2c3d4e5f6 in the first", "7620deb436802d88b810ef77"],
        ),
        ("limited", &["the selection of rows is", "\"limit\":5"]),
        ("alone", &["is no shard of a list: it was run without --shard"]),
        (
            "rehearsed",
            &["the kind of run is a real run in the first and a rehearsal in the second"],
        ),
        ("nowhere", &["no such folder"]),
    ];
    for (third, says) in cases {
        let third = (!third.is_empty()).then(|| work.path(third));
        let merge = work.program(["merge"]).args(two()).args(third);
        let ran = merge.arg("--out").arg(work.path("run")).go().expect(2);
        for text in says {
            assert!(ran.stderr.contains(text), "{text}: {}", ran.stderr);
        }
        assert_eq!(work.entries(), before);
    }
    // A copy is the same shard twice.
    let copy = work.path("copy");
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(folder(&work, "2/3").join("journal.jsonl"), copy.join("journal.jsonl")).unwrap();
    let merge_with_copy = work.program(["merge"]).args(two()).arg(copy);
    let ran = merge_with_copy.arg("--out").arg(work.path("run")).go().expect(2);
    assert!(ran.stderr.contains("shard 2/3 is there twice: "), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("shard-2-of-3 and ") && ran.stderr.contains("copy;"),
        "{}",
        ran.stderr
    );

    // Somebody works in a folder.
    let lock = File::options().write(true).open(folder(&work, "2/3").join(".lock")).unwrap();
    lock.lock().unwrap();
    let ran = merge(&work, &names(3)).go().expect(4);
    assert!(ran.stderr.contains("shard-2-of-3 is in use by"), "{}", ran.stderr);
    assert!(!ran.folder.exists());
    drop(lock);
    let merged = merge(&work, &names(3)).go().expect(0);
    let journal = merged.text("journal.jsonl");
    let again = merge(&work, &names(3)).go().expect(2);
    assert!(again.stderr.contains("exists already"), "{}", again.stderr);
    assert_eq!(merged.text("journal.jsonl"), journal);
}

#[test]
fn tokens_that_are_gone_or_elsewhere_are_not_left_out() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(12));
    for name in names(2) {
        shard(&work, &list, &server.url(), &name).go().expect(0);
    }
    let tokens = folder(&work, "1/2").join("tokens.jsonl");
    let kept = std::fs::read(&tokens).unwrap();
    std::fs::remove_file(&tokens).unwrap();
    let ran = merge(&work, &names(2)).go().expect(4);
    assert!(
        ran.stderr.contains("tokens.jsonl is missing") && ran.stderr.contains("--tokens-handed-on"),
        "{}",
        ran.stderr
    );
    assert!(!ran.folder.exists());
    let run_id = |name: &str| {
        let journal = std::fs::read_to_string(folder(&work, name).join("journal.jsonl")).unwrap();
        let started: serde_json::Value =
            serde_json::from_str(journal.lines().next().unwrap()).unwrap();
        started["started"]["run_id"].as_str().unwrap().to_owned()
    };
    std::fs::write(&tokens, kept).unwrap();
    let spill = format!("ghl-reconnect-rescued-{}.jsonl", run_id("2/2"));
    let spill = work.file(&spill, "{\"access_token\":\"x\"}\n");
    let ran = merge(&work, &names(2)).go().expect(4);
    assert!(ran.stderr.contains("tokens of shard 2/2 were saved in"), "{}", ran.stderr);
    assert!(!ran.folder.exists());
    std::fs::remove_file(spill).unwrap();

    // A line that is not as it was written goes to the quarantine, and its row is not recovered.
    let text = std::fs::read_to_string(&tokens).unwrap().replacen("Bearer", "Bearur", 1);
    std::fs::write(&tokens, text).unwrap();
    let merged = merge(&work, &names(2)).go().expect(1);
    assert!(merged.stderr.contains("line 1: damaged"), "{}", merged.stderr);
    assert_eq!((merged.count("recovered"), merged.count("not_attempted")), (11, 1));
    assert_eq!(merged.quarantine()[0]["quarantined_for"], "damaged");
    assert_eq!(merged.tokens().len(), 11);
    let resumed = work.resume(&server.url()).arg("--again").go().expect(0);
    resumed.assert_sound_after_kills(&server);
    assert_eq!(resumed.summary()["books"]["recovered"], json!(12));
}
