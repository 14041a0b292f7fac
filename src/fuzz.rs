//! What the fuzz targets of `tests/fuzz` call: untrusted bytes, through the readers that meet such bytes. A
//! reader may refuse them; it may not panic or hang.

use std::{
    io::{Cursor, Read, Write},
    str::FromStr,
};

use tempfile::NamedTempFile;

use crate::{
    checksum::Checksum,
    highlevel::{error_text::error_text, grant, locations, reply::Reply, token_check, tokens},
    input::{ColumnChoice, FirstLine, InputError, List, ScopeChoice},
    installation::Id,
    journal::state::RunState,
    sandbox::FaultPlan,
    store::mapping::Mapping,
};

/// A list of installations. Two readings give the same records.
pub fn list(bytes: &[u8]) {
    let headless = ColumnChoice {
        first_line: FirstLine::Record,
        id: Some("1".to_owned()),
        ..ColumnChoice::default()
    };
    for columns in [ColumnChoice::default(), headless] {
        assert_eq!(records(bytes, &columns), records(bytes, &columns));
    }
}

/// Every record of a list, and how the list ends, as text.
fn records(bytes: &[u8], columns: &ColumnChoice) -> Vec<String> {
    let open = || -> Result<Box<dyn Read + Send>, InputError> {
        Ok(Box::new(Cursor::new(bytes.to_vec())))
    };
    match List::open("list", &open, ScopeChoice::Auto, columns) {
        Ok(list) => list.map(|record| format!("{record:?}")).collect(),
        Err(error) => vec![error.to_string()],
    }
}

/// A body with which HighLevel, or a proxy in front of it, answers. Its first byte chooses the status.
pub fn answer(bytes: &[u8]) {
    const STATUSES: [u16; 8] = [200, 201, 307, 400, 401, 404, 429, 503];
    let Some((choice, body)) = bytes.split_first() else { return };
    let status = STATUSES[usize::from(*choice) % STATUSES.len()];
    let reply = Reply::of(status, &String::from_utf8_lossy(body));
    let _ = error_text(&reply.body);
    let _ = grant::grant_of(&reply);
    let _ = tokens::tokens_of(&reply);
    let _ = locations::page_of(&reply);
    let _ = token_check::judge(&reply);
    if let Some(company) = Id::new("company0000000000001") {
        let _ = tokens::location_tokens_of(&reply, &company);
    }
    let _ = reply.trace_id();
}

/// A journal. Lines without a checksum get theirs: a changed line would be refused for its old one.
pub fn journal(bytes: &[u8]) {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').map(sealed).collect::<Vec<_>>();
    let Ok(mut file) = NamedTempFile::new() else { return };
    if file.write_all(&lines.concat()).is_ok() {
        let _ = RunState::read(file.path(), |_| {});
    }
}

fn sealed(line: &[u8]) -> Vec<u8> {
    match line.strip_suffix(b"}\n") {
        Some(body) => {
            let checksum = format!(",\"checksum\":\"{}\"}}\n", Checksum::of(body));
            [body, checksum.as_bytes()].concat()
        }
        None => line.to_vec(),
    }
}

/// A mapping file. One that can be read is written so that it reads the same.
pub fn mapping(text: &str) {
    if let Ok(mapping) = Mapping::read(text) {
        assert_eq!(Mapping::read(&mapping.to_toml()), Ok(mapping.clone()), "{}", mapping.to_toml());
    }
}

/// The faults of the sandbox: shares as on the command line, or lists as in a fault file.
pub fn faults(text: &str) {
    let _ = FaultPlan::from_str(text);
    let _ = FaultPlan::from_json(text.as_bytes());
}
