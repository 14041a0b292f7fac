//! Statements with `:names` for what a pair has.

use jiff::Timestamp;
use serde_json::Value;

use super::recovered::Pair;

/// A statement with the values of a pair in it, as SQL literals. `::` is a cast.
///
/// `:id`, `:company_id`, `:access_token`, `:refresh_token`, `:expires_in`, `:token_type`, `:scope`,
/// `:user_type`, `:user_id`, `:app` and `:document` are the pair's own; `:n` is its number and `:uuid`
/// a UUID made of it. `:expires` and `:now` come as `_s` and `_ms` since the epoch, `_iso` as
/// JavaScript has it, `_py` as Python's `isoformat` in UTC, `_sql` without a zone, `_php` without a
/// fraction too, and `_real` as a float of seconds.
#[track_caller]
pub(super) fn filled(template: &str, pair: &Pair) -> String {
    let mut sql = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(':') {
        let (before, after) = rest.split_at(at);
        sql += before;
        let after_cast = after.strip_prefix("::");
        let name = &after[1..];
        let end = name.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(name.len());
        if let Some(after) = after_cast {
            sql += "::";
            rest = after;
        } else if end == 0 {
            sql.push(':');
            rest = name;
        } else {
            let known = value(&name[..end], pair);
            sql += &known.unwrap_or_else(|| panic!("no :{} in a pair", &name[..end]));
            rest = &name[end..];
        }
    }
    sql + rest
}

fn value(name: &str, pair: &Pair) -> Option<String> {
    let document = |name: &str| match &pair.document[name] {
        Value::String(text) => quoted(text),
        other => other.to_string(),
    };
    if let Some(format) = name.strip_prefix("expires_").filter(|name| *name != "in") {
        return time(format, pair.expires_at);
    }
    if let Some(format) = name.strip_prefix("now_") {
        return time(format, Timestamp::now());
    }
    Some(match name {
        "n" => pair.n.to_string(),
        "uuid" => format!("'00000000-0000-4000-8000-{:012}'", pair.n),
        "id" => quoted(&pair.id),
        "company_id" => quoted(&pair.company),
        "access_token" => quoted(&pair.access),
        "refresh_token" => quoted(&pair.refresh),
        "document" => quoted(&pair.document.to_string()),
        "user_type" => document("userType"),
        "user_id" => document("userId"),
        "app" => document("applicationId"),
        "token_type" | "scope" | "expires_in" => document(name),
        _ => return None,
    })
}

fn time(format: &str, at: Timestamp) -> Option<String> {
    let (seconds, ms) = (at.as_second(), at.as_millisecond());
    let part = ms.rem_euclid(1000);
    let with = |format: &str| at.strftime(format).to_string();
    Some(match format {
        "s" => seconds.to_string(),
        "ms" => ms.to_string(),
        "real" => format!("{seconds}.{part:03}"),
        "iso" => with(&format!("'%Y-%m-%dT%H:%M:%S.{part:03}Z'")),
        "py" => with(&format!("'%Y-%m-%dT%H:%M:%S.{part:03}000+00:00'")),
        "php" => with("'%Y-%m-%d %H:%M:%S'"),
        "sql" => with(&format!("'%Y-%m-%d %H:%M:%S.{part:03}'")),
        _ => return None,
    })
}

fn quoted(text: &str) -> String {
    // No value here has a backslash, which MySQL would take for an escape.
    assert!(!text.contains('\\'));
    format!("'{}'", text.replace('\'', "''"))
}
