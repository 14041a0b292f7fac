//! Lists of every kind, read from outside.

mod odd;
mod refusals;

use std::io::{self, Cursor};

use super::choice::ColumnChoice;
use super::{
    format::Format,
    text::{Encoding, RECORD_LIMIT},
    *,
};
use crate::installation::Scope;

const A: &str = "ve9EPM428h8vShlRW1KT";
const B: &str = "tDtDnQdgm2LXpyiqYvZ6";
const C: &str = "Qm4hT8xWc1ZrN0pLs7Yd";
const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJhdXRoQ2xhc3MiOiJMb2NhdGlvbiJ9.c2lnbmF0dXJl";

fn open_as(bytes: impl AsRef<[u8]>, choice: ScopeChoice) -> Result<List, InputError> {
    open_with(bytes, choice, &ColumnChoice::default())
}

fn open_with(
    bytes: impl AsRef<[u8]>,
    choice: ScopeChoice,
    columns: &ColumnChoice,
) -> Result<List, InputError> {
    let open = || Ok(Box::new(Cursor::new(bytes.as_ref().to_vec())) as Box<dyn io::Read + Send>);
    List::open("list", &open, choice, columns)
}

fn open(bytes: impl AsRef<[u8]>) -> List {
    open_as(bytes, ScopeChoice::Auto).unwrap()
}

fn fault(bytes: impl AsRef<[u8]>) -> InputError {
    match open_as(bytes, ScopeChoice::Auto) {
        Err(error) => error,
        Ok(mut list) => list.find_map(Result::err).unwrap(),
    }
}

/// A record in short: `L id company`, `C id`, or `! column: reason`.
fn short(record: &Record) -> String {
    match record {
        Record::Rejected(rejected) => format!("! {}: {}", rejected.column, rejected.reason),
        Record::Uninstalled(_) => "uninstalled".to_owned(),
        Record::Installation(Listed { installation: it, .. }) => {
            let kind = if it.scope == Scope::Location { "L" } else { "C" };
            let company = it.company.as_ref().map(|c| format!(" {c}")).unwrap_or_default();
            format!("{kind} {}{company}", it.id)
        }
    }
}

fn records(bytes: impl AsRef<[u8]>) -> Vec<Record> {
    open(bytes).map(Result::unwrap).collect()
}

fn shorts_as(bytes: impl AsRef<[u8]>, choice: ScopeChoice) -> Vec<String> {
    open_as(bytes, choice).unwrap().map(|record| short(&record.unwrap())).collect()
}

fn shorts(bytes: impl AsRef<[u8]>) -> Vec<String> {
    shorts_as(bytes, ScopeChoice::Auto)
}

fn listed(bytes: impl AsRef<[u8]>) -> Vec<Listed> {
    let keep = |record| match record {
        Record::Installation(listed) => Some(listed),
        Record::Rejected(_) | Record::Uninstalled(_) => None,
    };
    records(bytes).into_iter().filter_map(keep).collect()
}

fn rejected(bytes: impl AsRef<[u8]>) -> Rejected {
    let keep = |record| match record {
        Record::Rejected(rejected) => Some(rejected),
        Record::Installation(_) | Record::Uninstalled(_) => None,
    };
    records(bytes).into_iter().find_map(keep).unwrap()
}

/// Three records in every format: a sub-account with its agency, an agency, a sub-account alone.
fn formats() -> Vec<(&'static str, String)> {
    let objects = [
        format!(r#"{{"locationId":"{A}","companyId":"{C}","name":"Café Zürich"}}"#),
        format!(r#"{{"locationId":null,"companyId":"{C}","name":"a, b; c"}}"#),
        format!(r#"{{"locationId":"{B}","companyId":"","name":"x"}}"#),
    ];
    let table = |d: &str| {
        format!(
            "location_id{d}company_id{d}name\n{A}{d}{C}{d}Café Zürich\n{d}{C}{d}\"a, b; c\"\n{B}{d}{d}x\n"
        )
    };
    let pretty: Vec<_> =
        objects.iter().map(|o| o.replace(",\"", ",\n  \"").replace('{', "{\n  ")).collect();
    vec![
        ("comma", table(",")),
        ("semicolon", table(";")),
        ("tab", table("\t")),
        ("pipe", table("|")),
        ("array", format!("[{}]", objects.join(",\n"))),
        ("lines", objects.join("\n")),
        ("pretty", pretty.join("\n")),
        ("one line", objects.join("")),
        (
            "locations",
            format!("{{\"count\":3,\"locations\":[{}],\"traceId\":\"x\"}}", objects.join(",")),
        ),
        ("items", format!("{{\"items\":[{}],\"pagination\":{{\"a\":[1]}}}}", objects.join(","))),
        ("nested", format!("{{\"data\":{{\"results\":[{}]}},\"ok\":true}}", objects.join(","))),
        ("pages", objects.map(|o| format!("{{\"items\":[{o}]}}")).join("\n")),
    ]
}

/// A text's bytes in an encoding.
type Encode = fn(&str) -> Vec<u8>;

fn encodings() -> Vec<(Encoding, Encode)> {
    vec![
        (Encoding::Utf8, |text| text.as_bytes().to_vec()),
        (Encoding::Utf8Bom, |text| [b"\xEF\xBB\xBF", text.as_bytes()].concat()),
        (Encoding::Utf16Le, |text| {
            [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
        }),
        (Encoding::Utf16Be, |text| {
            [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect()
        }),
        (Encoding::Windows1252, |text| encoding_rs::WINDOWS_1252.encode(text).0.into_owned()),
    ]
}

#[test]
fn every_format_reads_alike_in_every_encoding_with_every_line_end() {
    let expected = [format!("L {A} {C}"), format!("C {C}"), format!("L {B}")];
    for (format, text) in formats() {
        for (encoding, encode) in encodings() {
            for end in ["\n", "\r\n", "\r", "\n\n"] {
                let list = open(encode(&text.replace('\n', end)));
                assert_eq!(list.shape().encoding, encoding, "{format}");
                let records: Vec<_> = list.map(Result::unwrap).collect();
                let names: Vec<_> = records.iter().map(short).collect();
                assert_eq!(names, expected, "{format} {encoding} {end:?}");
                let Record::Installation(first) = &records[0] else { panic!() };
                assert_eq!(first.values, [A, C, "Café Zürich"], "{format} {encoding}");
            }
        }
    }
}

#[test]
fn lists_of_ids_and_maps_of_ids_are_read() {
    let both = [format!("L {A}"), format!("L {B}")];
    for text in [
        format!("{A}\n{B}\n"),
        format!("\"{A}\"\r\n\"{B}\""),
        format!("location_id\n{A}\n{B}\n"),
        format!("[\"{A}\",\n\"{B}\"]"),
        format!("{{\"locations\":[\"{A}\",\"{B}\"]}}"),
        format!("{{\"{A}\":{{\"name\":\"x\"}},\"{B}\":{{}}}}"),
        format!("{{\"__collections__\":{{\"apps\":{{\"{A}\":{{\"a\":1}},\"{B}\":{{}}}}}}}}"),
        format!("{{\"_id\":\"{A}\"}}\n{{\"_id\":\"{B}\"}}"),
        format!("__id__,name\n{A},x\n{B},y\n"),
        format!("Document ID\n{A}\n{B}\n"),
        format!("id\n{A}\n{B}\n"),
        format!("sep=;\nname;Location ID\nx;{A}\ny;{B}\n"),
        format!("location_id,name,,\n=\"{A}\",x,,\n \u{a0}{B}\u{200b},y,,\n,,,\n"),
    ] {
        assert_eq!(shorts(&text), both, "{text}");
    }
    assert_eq!(open(format!("{A}\n{B}\n")).shape().format, Format::BareIds);
    let agencies = shorts_as(format!("{A}\n{B}\n"), ScopeChoice::Company);
    assert_eq!(agencies, [format!("C {A}"), format!("C {B}")]);
}

#[test]
fn one_object_is_a_list_of_one() {
    assert_eq!(shorts(format!("{{\"locationId\":\"{A}\"}}")), [format!("L {A}")]);
    assert_eq!(shorts(format!("{{\n  \"locationId\": \"{A}\"\n}}\n")), [format!("L {A}")]);
}

#[test]
fn a_record_says_its_own_kind() {
    for (object, expected) in [
        (
            format!(r#"{{"userType":"Company","locationId":"{A}","companyId":"{C}"}}"#),
            format!("C {C}"),
        ),
        (format!(r#"{{"user_type":"agency","companyId":"{C}"}}"#), format!("C {C}")),
        (format!(r#"{{"userType":"Location","resourceId":"{A}"}}"#), format!("L {A}")),
        (format!(r#"{{"user_type":"Company","resource_id":"{C}"}}"#), format!("C {C}")),
        (format!(r#"{{"resourceId":"{A}"}}"#), format!("L {A}")),
        (format!(r#"{{"resourceId":"{C}","companyId":"{C}"}}"#), format!("C {C}")),
        (format!(r#"{{"resourceId":"{A}","companyId":"{C}"}}"#), format!("L {A} {C}")),
        (
            format!(r#"{{"_id":{{"$oid":"5f9a1b2c3d4e5f6a7b8c9d0e"}},"resourceId":"{A}"}}"#),
            format!("L {A}"),
        ),
        (format!(r#"{{"_id":"5f9a1b2c3d4e5f6a7b8c9d0e","companyId":"{C}"}}"#), format!("C {C}")),
        (format!(r#"{{"id":7,"companyId":"{C}"}}"#), format!("C {C}")),
        (format!(r#"{{"__id__":"{A}","companyId":"{C}"}}"#), format!("L {A} {C}")),
        (format!(r#"{{"scope":"company","id":"{C}"}}"#), format!("C {C}")),
        (format!(r#"{{"scope":"contacts.readonly","locationId":"{A}"}}"#), format!("L {A}")),
        (
            format!(
                r#"{{"type":"INSTALL","installType":"Location","locationId":"{A}","companyId":"{C}"}}"#
            ),
            format!("L {A} {C}"),
        ),
        (
            format!(r#"{{"userType":"Location","companyId":"{C}"}}"#),
            "! location_id: no location id, though userType makes it a sub-account".into(),
        ),
        (
            format!(r#"{{"userType":"Company","locationId":"{A}"}}"#),
            "! company_id: no company id, though userType makes it an agency".into(),
        ),
        (format!(r#"{{"type":"UNINSTALL","locationId":"{A}"}}"#), "uninstalled".into()),
        (
            r#"{"locationId":"","companyId":"N/A"}"#.into(),
            "! locationId: no id: fill in a location id or a company id".into(),
        ),
    ] {
        assert_eq!(shorts(&object), [expected], "{object}");
    }
}

#[test]
fn a_forced_kind_needs_its_own_id() {
    let table = format!("location_id,company_id\n{A},{C}\n,{C}\n{B},\n");
    let forced = |choice| shorts_as(&table, choice);
    let no_location = "! location_id: no location id, though --scope makes it a sub-account";
    let no_company = "! company_id: no company id, though --scope makes it an agency";
    assert_eq!(
        forced(ScopeChoice::Location),
        [format!("L {A} {C}"), no_location.into(), format!("L {B}")]
    );
    assert_eq!(
        forced(ScopeChoice::Company),
        [format!("C {C}"), format!("C {C}"), no_company.into()]
    );
    let agency = format!(r#"{{"userType":"Company","resourceId":"{C}"}}"#);
    assert!(shorts_as(agency, ScopeChoice::Location)[0].starts_with('!'));
}

#[test]
fn a_general_id_is_not_taken_where_a_better_one_exists() {
    let text = format!(r#"[{{"id":"{B}","companyId":"{C}"}},{{"id":"{B}","locationId":"{A}"}}]"#);
    assert_eq!(shorts(text), [format!("C {C}"), format!("L {A}")]);
    assert_eq!(shorts(format!("id,location_id,company_id\n{B},,{C}\n")), [format!("C {C}")]);
    assert_eq!(shorts(format!("id,location\n7,{A}\n")), [format!("L {A}")]);
    assert_eq!(shorts(format!("id,location\n{A},Riverside\n")), [format!("L {A}")]);
}

#[test]
fn an_unusual_id_is_taken_with_a_warning() {
    let unusual: Vec<_> = listed(format!("location_id\n{A}\nacme-17-b\n"))
        .iter()
        .map(|l| !l.installation.id.is_usual())
        .collect();
    assert_eq!(unusual, [false, true]);
}

#[test]
fn rows_and_lines_count_from_one() {
    let text = format!("\n\nlocation_id,name\n\n{A},\"two\nlines\"\n\nbad id,x\n{B},y\n");
    let places: Vec<_> = records(text)
        .into_iter()
        .map(|record| match record {
            Record::Installation(it) => (it.row, it.line),
            Record::Rejected(it) => (it.row, it.line),
            Record::Uninstalled(_) => (0, 0),
        })
        .collect();
    assert_eq!(places, [(1, 5), (2, 8), (3, 9)]);
    let lines: Vec<_> = listed(format!("[\n{{\"id\":\"{A}\"}},\n\n{{\n\"id\":\"{B}\"}}]"))
        .iter()
        .map(|l| l.line)
        .collect();
    assert_eq!(lines, [2, 4]);
}

#[test]
fn short_rows_are_filled_and_long_ones_rejected() {
    let text = format!("location_id,company_id,name\n{A}\n{B},,x,,\n{B},,Acme, Inc\n");
    let all = shorts(&text);
    assert_eq!(all[..2], [format!("L {A}"), format!("L {B}")]);
    assert!(all[2].contains("4 cells, but the header has 3"), "{}", all[2]);
    assert_eq!(listed(&text)[0].values, [A, "", ""]);
}

#[test]
fn carried_cells_are_exact_and_tokens_stay_behind() {
    let text = format!(
        "location_id,access_token,note,token_expires_at\n\" {A} \",{JWT}, padded ,2026\n{B},x,see {JWT} here,\"{{\"\"a\"\":{{\"\"refresh_token\"\":\"\"r\"\"}}}}\"\n"
    );
    let list = open(&text);
    assert_eq!(list.shape().left_out, ["access_token"]);
    assert_eq!(list.shape().columns, ["location_id", "note", "token_expires_at"]);
    let rows = listed(&text);
    assert_eq!(rows[0].values, [&format!(" {A} "), " padded ", "2026"]);
    assert_eq!(rows[1].values, [B, "[token left out]", "[token left out]"]);
}

#[test]
fn json_values_are_carried_as_text() {
    let text = format!(
        r#"[{{"locationId":"{A}","n":1.50,"b":true,"z":null,"o":{{ "a": [1, 2] }},"t":{{"access_token":"x"}}}},{{"locationId":"{B}","new":"é"}}]"#
    );
    let mut list = open(&text);
    let rows: Vec<_> = list.by_ref().map(|record| record.unwrap()).collect();
    assert_eq!(list.shape().columns, ["locationId", "n", "b", "z", "o", "t", "new"]);
    let Record::Installation(first) = &rows[0] else { panic!() };
    assert_eq!(first.values, [A, "1.50", "true", "", r#"{"a":[1,2]}"#, "[token left out]"]);
    let Record::Installation(second) = &rows[1] else { panic!() };
    assert_eq!(second.values, [B, "", "", "", "", "", "é"]);
}

#[test]
fn an_earlier_runs_failures_are_taken_up() {
    let ours = "status,error_class,stage,http_status,message,retry,attempts_total,first_failed_at,failed_at,trace_ids";
    let row = "failed,server_error,reconnect,502,bad gateway,now,7,2026-10-08T13:35:43.887Z,2026-10-08T13:40:00Z,t-1 t-2";
    let plain = format!(
        "location_id,status,{ours}\n{A},live,{row}\n{B},live,failed,,,,,,many,once,,{JWT}\n"
    );
    let excel = format!("\u{feff}{}", plain.replace(',', ";").replace('\n', "\r\n"));
    for text in [plain, excel] {
        let list = open(&text);
        assert_eq!(list.shape().columns, ["location_id", "status"]);
        assert_eq!(list.shape().continues, Continues::EarlierRun);
        let rows = listed(&text);
        assert_eq!(rows[0].values, [A, "live"]);
        let history = rows[0].history.as_ref().unwrap();
        assert_eq!(history.attempts_total, 7);
        assert_eq!(history.first_failed_at.as_deref(), Some("2026-10-08T13:35:43.887Z"));
        assert_eq!(history.trace_ids, ["t-1", "t-2"]);
        assert_eq!(rows[1].history, None);
    }
}

/// A token that says what it is for.
fn token_of(class: &str, id: &str) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let claims = format!(r#"{{"authClass":"{class}","authClassId":"{id}"}}"#);
    format!("eyJhbGciOiJSUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

#[test]
fn a_token_tells_what_the_columns_leave_open_and_nothing_else() {
    use IdSource::{Column, Token};
    let (of_a, of_c) = (token_of("Location", A), token_of("Company", C));
    let agency_a = token_of("Company", A);
    // The list, the installation and who tells it, and whether its token is another's.
    for (list, expected, id_source, is_anothers) in [
        (format!("location_id,access_token\n,{of_a}"), format!("L {A}"), Token, false),
        (format!("location_id,company_id,token\n,{C},{of_a}"), format!("L {A} {C}"), Token, false),
        (format!("location_id,company_id,jwt\n,,{of_c}"), format!("C {C}"), Token, false),
        (format!("location_id,type,access_token\n,agency,{of_c}"), format!("C {C}"), Token, false),
        (format!("id,access_token\n{A},{agency_a}"), format!("C {A}"), Token, false),
        (format!("resourceId,access_token\n{A},{agency_a}"), format!("C {A}"), Token, false),
        (format!("id,refresh_token\n42,{of_a}"), format!("L {A}"), Token, false),
        (format!("_id,refresh_token\n{},{of_a}", "5f".repeat(12)), format!("L {A}"), Token, false),
        (format!("name,refresh_token\nx,{of_a}"), format!("L {A}"), Token, false),
        (
            format!(r#"[{{"name":"x","tokens":{{"accessToken":"{of_a}"}}}}]"#),
            format!("L {A}"),
            Token,
            false,
        ),
        (format!("location_id,access_token\n{A},{of_a}"), format!("L {A}"), Column, false),
        (format!("resourceId,access_token\n{A},{of_a}"), format!("L {A}"), Column, false),
        (format!("company_id,access_token\n{C},{of_c}"), format!("C {C}"), Column, false),
        (format!("location_id,access_token\n{B},{of_a}"), format!("L {B}"), Column, true),
        (format!("location_id,access_token\n{B},{of_c}"), format!("L {B}"), Column, true),
        (format!("id,access_token\n{B},{of_a}"), format!("L {B}"), Column, true),
    ] {
        let listed = listed(&list).remove(0);
        let anothers = listed.stored.contradiction(&listed.installation).is_some();
        let known = (listed.id_source, anothers);
        assert_eq!(short(&Record::Installation(listed)), expected, "{list}");
        assert_eq!(known, (id_source, is_anothers), "{list}");
    }
    for (list, reason) in [
        (format!("location_id,type,access_token\n,agency,{of_a}"), "no company id"),
        (format!("location_id,access_token\n0-002-230,{of_a}"), "a relationship number"),
        (format!("name,access_token\nx,{}", "opaque0123456789abcdef"), "no id"),
    ] {
        assert!(shorts(&list)[0].contains(reason), "{list}: {}", shorts(&list)[0]);
    }
}
