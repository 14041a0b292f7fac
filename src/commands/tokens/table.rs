//! Pairs as a CSV.

use std::{borrow::Cow, io::Write};

use serde_json::Value;

use crate::{clock::stamp, input::formula, store::pair::Pair, views::csv_writer::or_empty};

/// A column: its name, and its cell for a pair.
type Column = (&'static str, fn(&Pair) -> String);

/// Our columns. `scope` is the kind of a row in the other files, so the OAuth scope has another name.
const COLUMNS: [Column; 14] = [
    ("app", |pair| pair.app.clone()),
    ("kind", |pair| pair.installation.scope.to_string()),
    ("id", |pair| pair.installation.id.to_string()),
    ("company_id", |pair| text(pair, "companyId")),
    ("location_id", |pair| text(pair, "locationId")),
    ("user_id", |pair| text(pair, "userId")),
    ("access_token", |pair| pair.access_token.expose().to_owned()),
    ("refresh_token", |pair| {
        pair.refresh_token.as_ref().map(|token| token.expose().to_owned()).unwrap_or_default()
    }),
    ("token_type", |pair| text(pair, "token_type")),
    ("oauth_scope", |pair| text(pair, "scope")),
    ("user_type", |pair| text(pair, "userType")),
    ("expires_at", |pair| or_empty(pair.expires_at.map(stamp))),
    ("expires_in", |pair| or_empty(pair.expires_in())),
    ("granted_at", |pair| or_empty(pair.granted_at.map(stamp))),
];

/// A field of the document: a text as it is, anything else as JSON.
fn text(pair: &Pair, name: &str) -> String {
    match pair.document.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// A CSV of pairs. A token has to be exact, so that our cells stand as they are. Those of the list are
/// guarded as in every other file.
pub(super) struct Table<W: Write> {
    csv: csv::Writer<W>,
    like_formulas: u32,
}

impl<W: Write> Table<W> {
    /// Writes the header: our columns, then these of the list.
    pub(super) fn begin(out: W, own: &[String]) -> csv::Result<Self> {
        let mut csv = csv::Writer::from_writer(out);
        for name in header(own) {
            csv.write_field(name)?;
        }
        csv.write_record(None::<&[u8]>)?;
        Ok(Self { csv, like_formulas: 0 })
    }

    /// Writes a pair with its cells of the list.
    pub(super) fn pair(&mut self, pair: &Pair, own: &[String]) -> csv::Result<()> {
        let cells = COLUMNS.map(|(_, cell)| cell(pair));
        let is_like = |cell: &String| matches!(formula::guarded(cell), Cow::Owned(_));
        self.like_formulas += u32::from(cells.iter().any(is_like));
        for cell in &cells {
            self.csv.write_field(cell)?;
        }
        for cell in own {
            self.csv.write_field(&*formula::guarded(cell))?;
        }
        self.csv.write_record(None::<&[u8]>)
    }

    /// Writes what is left, and gives the number of pairs with a cell that a spreadsheet would take for
    /// a formula.
    pub(super) fn end(mut self) -> csv::Result<u32> {
        self.csv.flush()?;
        Ok(self.like_formulas)
    }
}

/// Each name once: one of the list's that is taken gets another.
fn header(own: &[String]) -> Vec<String> {
    let mut names: Vec<String> = COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect();
    for name in own {
        let mut name = formula::guarded(name).into_owned();
        while names.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            name.insert_str(0, "list_");
        }
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pair(fields: &Value) -> Pair {
        let mut document = json!({
            "applicationId": "66c1a6f5e4b0a1b2c3d4e5f6", "resourceId": "ve9EPM428h8vShlRW1KT",
            "access_token": "a", "userType": "Location", "locationId": "ve9EPM428h8vShlRW1KT",
        });
        for (name, value) in fields.as_object().unwrap() {
            document[name] = value.clone();
        }
        Pair::read(document.to_string().as_bytes(), 1, "").unwrap()
    }

    fn cell(pair: &Pair, own: (&str, &str), name: &str) -> (String, u32) {
        let mut bytes = Vec::new();
        let mut table = Table::begin(&mut bytes, &[own.0.to_owned()]).unwrap();
        table.pair(pair, &[own.1.to_owned()]).unwrap();
        let like_formulas = table.end().unwrap();
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        let place = reader.headers().unwrap().iter().position(|known| known == name).unwrap();
        (reader.records().next().unwrap().unwrap()[place].to_owned(), like_formulas)
    }

    #[test]
    fn what_comes_from_highlevel_stands_as_it_came_and_the_list_is_guarded() {
        for (fields, own, name, expected) in [
            (json!({"access_token": "a,\"b\n"}), ("x", "y"), "access_token", ("a,\"b\n", 0)),
            (json!({"access_token": "-x"}), ("x", "y"), "access_token", ("-x", 1)),
            (json!({"refresh_token": "=x"}), ("x", "y"), "refresh_token", ("=x", 1)),
            (json!({"scope": ["a", "b"]}), ("x", "y"), "oauth_scope", ("[\"a\",\"b\"]", 0)),
            (json!({"userId": null}), ("x", "y"), "user_id", ("", 0)),
            (json!({"expires_in": "60"}), ("x", "y"), "expires_in", ("60", 0)),
            (
                json!({"expire_at": 1_800_000_000_001_u64, "expires_in": 60}),
                ("x", "y"),
                "granted_at",
                ("2027-01-15T07:59:00.001Z", 0),
            ),
            (json!({}), ("x", "=1"), "x", ("'=1", 0)),
            (json!({}), ("Location_ID", "z"), "list_Location_ID", ("z", 0)),
        ] {
            let (text, like_formulas) = cell(&pair(&fields), own, name);
            assert_eq!((text.as_str(), like_formulas), expected, "{name}");
        }
    }

    #[test]
    fn each_name_stands_once_in_the_header() {
        let own = ["ID".to_owned(), "list_ID".to_owned(), "plan".to_owned(), "=1".to_owned()];
        assert_eq!(header(&own)[COLUMNS.len()..], ["list_ID", "list_list_ID", "plan", "'=1"]);
    }
}
