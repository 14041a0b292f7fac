//! What is refused, and what is said of it.

use super::*;

#[test]
fn no_message_shows_a_token() {
    let secret = "opaque-secret-value-0123456789";
    for text in [
        format!("location_id,name\n{JWT},x\n"),
        format!("location_id,name\nhttps://x.example/{JWT}?code={secret},x\n"),
        "location_id,name\npit-1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed,x\n".to_owned(),
        format!("location_id\nBearer {JWT}\n"),
        format!("{{\"locationId\":\"{A}\"}}\n{{\"access_token\":\"{secret}\", oops}}\n"),
        format!("{{\"locationId\":{{\"access_token\":\"{secret}\"}}}}"),
        format!("{{\"locationId\":\"{A}\"}}\n\"{JWT}\"\n"),
    ] {
        let shown = format!("{:?}", rejected(&text));
        for hidden in ["eyJ", secret, "bbfd-4b2d"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
    for text in
        [format!("{JWT},{A}\n"), format!("{JWT},x\n1,2\n"), format!("[{{\"a\":\"{JWT}\" oops}}]")]
    {
        let shown = fault(&text);
        assert!(!format!("{shown} {shown:?}").contains("eyJ"), "{shown}");
    }
}

#[test]
fn a_broken_line_is_rejected_and_the_others_go_on() {
    let text =
        format!("{{\"locationId\":\"{A}\"}}\n{{\"locationId\":\n42\n{{\"locationId\":\"{B}\"}}\n");
    let all = shorts(&text);
    assert_eq!(all.len(), 4);
    assert!(all[1].contains("not valid JSON"), "{}", all[1]);
    assert!(all[2].contains("a number"), "{}", all[2]);
    assert_eq!(all[3], format!("L {B}"));
    let first_broken = format!("{{\"locationId\":\n{{\"locationId\":\"{B}\"}}\n");
    assert_eq!(shorts(first_broken).len(), 2);
}

#[test]
fn lists_that_cannot_serve_are_named_with_their_line() {
    let big = "x".repeat(RECORD_LIMIT + 10);
    let keys: Vec<_> = (0..=1000).map(|n| format!("\"k{n}\":1")).collect();
    for (bytes, expected) in [
        (Vec::new(), "list: empty"),
        (b"\xEF\xBB\xBF \r\n\n".to_vec(), "list: empty"),
        (b"location_id,name\n".to_vec(), "list: no record after line"),
        (b"[]".to_vec(), "list: no record after line"),
        (b"{\"locations\":[]}".to_vec(), "list: no record after line"),
        (b"name,phone\nx,y\n".to_vec(), "list: line 1: no column holds ids (found: name, phone)"),
        (b"[{\"name\":\"x\"}]".to_vec(), "list: line 1: no column holds ids (found: name)"),
        (format!("{A},Acme\n{B},Beta\n").into_bytes(), "list: line 1: holds an id where"),
        (b"PK\x03\x04\x14\0xl/workbook.xml".to_vec(), "list: an Excel workbook"),
        (b"\x1F\x8B\x08\0".to_vec(), "list: a compressed file"),
        (b"location_id\nab\0c\n".to_vec(), "list: a binary file"),
        (format!("location_id,name\n{A},\"x\n{B},y\n").into_bytes(), "list: line 2: a quote"),
        (format!("location_id,name\n{A},{big}\n").into_bytes(), "list: line 2: a record of more"),
        (
            format!("[\n{{\"locationId\":\"{A}\",\"x\":\"{big}\"}}]").into_bytes(),
            "list: line 2: a record of more",
        ),
        (
            format!("[{{\"id\":\"{A}\"}},\n{{\"id\" \"{B}\"}}]").into_bytes(),
            "list: line 2: not valid JSON",
        ),
        (
            format!("[{{\"id\":\"{A}\"}},\n{{\"id\":\"{B}\"}}").into_bytes(),
            "list: line 2: ends in the middle",
        ),
        (format!("[{{\"id\":\"{A}\"}}}}").into_bytes(), "list: line 1: not valid JSON"),
        (
            format!("[{{\"id\":\"{A}\",{}}}]", keys.join(",")).into_bytes(),
            "list: line 1: more than 1000",
        ),
    ] {
        let known = fault(&bytes).to_string();
        assert!(known.starts_with(expected), "{known}");
    }
}

/// Installations and rejected records of a fixture, or the beginning of its error.
fn tally(name: &str) -> Result<(usize, usize), String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    let text = |error: InputError| error.to_string().replace(&*path.to_string_lossy(), "");
    let list = Source::open(&path)
        .and_then(|s| s.read(ScopeChoice::Auto, &ColumnChoice::default()))
        .map_err(text)?;
    let mut tally = (0, 0);
    for record in list {
        match record.map_err(text)? {
            Record::Installation(_) => tally.0 += 1,
            Record::Rejected(_) => tally.1 += 1,
            Record::Uninstalled(_) => {}
        }
    }
    Ok(tally)
}

#[test]
fn every_fixture_reads_as_its_name_says() {
    for (name, expected) in [
        ("installations.csv", (25, 0)),
        ("array-of-ids.json", (6, 0)),
        ("array.json", (7, 0)),
        ("bare-ids.txt", (9, 0)),
        ("excel-semicolons-utf8-bom.csv", (6, 0)),
        ("excel-unicode-text-utf16le-tabs.txt", (7, 0)),
        ("failures-of-an-earlier-run.csv", (6, 0)),
        ("failures-saved-by-excel.csv", (6, 0)),
        ("firestore-collections.json", (5, 0)),
        ("firestore-documents-by-id.json", (6, 0)),
        ("install-webhooks.jsonl", (6, 0)),
        ("installed-locations-v2.json", (7, 0)),
        ("installed-locations-v3.json", (6, 0)),
        ("lines.jsonl", (7, 0)),
        ("mixed.csv", (10, 15)),
        ("mixed.jsonl", (4, 4)),
        ("objects-as-jq-prints-them.json", (7, 0)),
        ("old-mac-line-ends.csv", (5, 0)),
        ("one-column.csv", (8, 0)),
        ("own-kinds-user-type.csv", (7, 0)),
        ("sdk-sessions-node.json", (6, 0)),
        ("sdk-sessions-python.jsonl", (6, 0)),
        ("tokens-are-left-out.csv", (5, 0)),
        ("utf16be-commas.csv", (5, 0)),
        ("vertical-bars.csv", (5, 0)),
        ("windows-1252-semicolons.csv", (6, 0)),
    ] {
        assert_eq!(tally(name), Ok(expected), "{name}");
    }
    for (name, expected) in [
        ("binary.csv", ": a binary file"),
        ("compressed.csv.gz", ": a compressed file"),
        ("cut-off.json", ": line 3: ends in the middle"),
        ("document.pdf", ": a PDF"),
        ("empty-array.json", ": no record"),
        ("empty.csv", ": empty"),
        ("header-only.csv", ": no record after line"),
        ("missing-colon.json", ": line 3: not valid JSON"),
        ("no-header.csv", ": line 1: holds an id"),
        ("no-id-column.csv", ": line 1: no column holds ids"),
        ("no-id-key.json", ": line 1: no column holds ids"),
        ("unclosed-quote.csv", ": line 2: a quote"),
        ("web-page.html", ": a web page"),
        ("workbook.xlsx", ": an Excel workbook"),
    ] {
        let known = tally(&format!("unusable/{name}")).unwrap_err();
        assert!(known.starts_with(expected), "{name}: {known}");
    }
}
