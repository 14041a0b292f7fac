//! Status columns: when a row says that its tokens are dead, and what it says when they are not.

/// Words for tokens that are dead. What an owner wants (inactive, uninstalled, paused) is none.
const BAD: &str = "error errored expired tokenexpired invalid invalidtoken tokeninvalid disconnected broken failed \
    refreshfailed unauthorized unauthenticated reauth reauthrequired needsreauth requiresreauth \
    reconnect reconnectrequired needsreconnect requiresreconnect needsreconnection needsattention \
    authfailed autherror tokenerror refresherror revoked dead stale";

/// Words for tokens that are good, the usual first.
const GOOD: [&str; 12] = [
    "connected",
    "active",
    "ok",
    "valid",
    "healthy",
    "authorized",
    "authenticated",
    "live",
    "linked",
    "good",
    "success",
    "ready",
];

/// What to make of a status column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// Values that say that the tokens are dead, as they stand in the rows.
    pub bad: Vec<String>,
    /// The value for good ones.
    pub good: String,
}

/// Letters of a word in lower case, so that `TOKEN-EXPIRED` and `token_expired` are one.
fn letters(word: &str) -> String {
    word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn is_bad(word: &str) -> bool {
    let word = letters(word);
    BAD.split_ascii_whitespace().any(|bad| bad == word)
}

fn rank_of_good(word: &str) -> Option<usize> {
    let word = letters(word);
    GOOD.iter().position(|good| *good == word)
}

/// What a flag says when the connection is good, by its name; `None` where the name says nothing.
fn good_flag(name: &str) -> Option<bool> {
    match letters(name).as_str() {
        "needsreauth" | "needsreconnect" | "requiresreauth" | "requiresreconnect"
        | "reauthrequired" | "reconnectrequired" | "tokeninvalid" => Some(false),
        "isconnected" | "connected" | "tokenvalid" => Some(true),
        _ => None,
    }
}

fn flag(text: &str) -> Option<bool> {
    match letters(text).as_str() {
        "true" | "t" | "1" => Some(true),
        "false" | "f" | "0" => Some(false),
        _ => None,
    }
}

/// The text inside a default such as `'connected'::character varying`.
fn bare_default(default: &str) -> &str {
    let inner = default.trim().trim_start_matches('(').trim_end_matches(')').trim();
    inner.strip_prefix('\'').and_then(|rest| rest.split('\'').next()).unwrap_or(inner)
}

/// What to change in a status column: only where rows have a known bad word, and the column's default
/// or its allowed words have a known good one.
pub fn change<'a>(
    name: &str,
    default: Option<&str>,
    allowed: &[String],
    values: impl IntoIterator<Item = &'a str>,
) -> Option<StatusChange> {
    let default = default.map(bare_default);
    if let Some(good) = good_flag(name) {
        let is_default = default.and_then(flag) == Some(good);
        let mut bad: Vec<String> =
            values.into_iter().filter(|v| flag(v) == Some(!good)).map(str::to_owned).collect();
        bad.sort_unstable();
        bad.dedup();
        let first = bad.first()?;
        // Written as the rows write it: `t`, `true` or `1`.
        let text = match (first.as_str(), good) {
            ("0" | "1", good) => u8::from(good).to_string(),
            (_, good) => good.to_string(),
        };
        return is_default.then_some(StatusChange { bad, good: text });
    }
    let by_default = default.filter(|word| rank_of_good(word).is_some()).map(str::to_owned);
    let by_words = || {
        let good = allowed.iter().filter_map(|word| Some((rank_of_good(word)?, word)));
        good.min().map(|(_, word)| word.clone())
    };
    let good = by_default.or_else(by_words)?;
    let mut bad: Vec<String> =
        values.into_iter().filter(|word| is_bad(word)).map(str::to_owned).collect();
    bad.sort_unstable();
    bad.dedup();
    (!bad.is_empty()).then_some(StatusChange { bad, good })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_changes_only_from_a_known_bad_word_to_a_known_good_one() {
        let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        for (name, default, allowed, values, expected) in [
            (
                "status",
                Some("'connected'::text"),
                &[][..],
                &["error", "connected"][..],
                Some((&["error"][..], "connected")),
            ),
            (
                "status",
                Some("active"),
                &[],
                &["TOKEN_EXPIRED"],
                Some((&["TOKEN_EXPIRED"], "active")),
            ),
            ("status", None, &["error", "ACTIVE"], &["error"], Some((&["error"], "ACTIVE"))),
            ("status", Some("'pending'"), &[], &["error"], None),
            ("status", Some("'connected'"), &[], &["uninstalled", "paused"], None),
            ("status", None, &[], &["error"], None),
            ("needs_reauth", Some("false"), &[], &["true", "false"], Some((&["true"], "false"))),
            ("needs_reauth", Some("0"), &[], &["1"], Some((&["1"], "0"))),
            ("is_connected", Some("true"), &[], &["false"], Some((&["false"], "true"))),
            ("is_connected", None, &[], &["false"], None),
        ] {
            let found = change(name, default, &words(allowed), values.iter().copied());
            let expected =
                expected.map(|(bad, good)| StatusChange { bad: words(bad), good: good.to_owned() });
            assert_eq!(found, expected, "{name} {default:?} {values:?}");
        }
    }
}
