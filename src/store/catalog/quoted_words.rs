//! The words between single quotes in a type or a condition.

/// Every text between single quotes, a doubled one inside being one.
pub fn quoted_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('\'') {
        let mut word = String::new();
        let mut inner = after;
        loop {
            let Some((piece, next)) = inner.split_once('\'') else { return words };
            word.push_str(piece);
            inner = next;
            let Some(next) = next.strip_prefix('\'') else { break };
            word.push('\'');
            inner = next;
        }
        words.push(word);
        rest = inner;
    }
    words
}

/// The words of those CHECK conditions in a table's own text that speak of this column.
pub fn words_of_checks(sql: &str, column: &str) -> Vec<String> {
    let lower = sql.to_ascii_lowercase();
    let name = column.to_ascii_lowercase();
    let mut words = Vec::new();
    for (at, _) in lower.match_indices("check") {
        let Some(condition) = sql.get(at..).and_then(in_parentheses) else { continue };
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut names = condition.split(|c: char| !is_word(c));
        if names.any(|word| word.eq_ignore_ascii_case(&name)) {
            words.extend(quoted_words(condition));
        }
    }
    words
}

/// What stands in the first pair of parentheses.
fn in_parentheses(text: &str) -> Option<&str> {
    let open = text.find('(')?;
    let mut depth = 0_usize;
    for (at, c) in text.char_indices().skip_while(|(at, _)| *at < open) {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return text.get(open + 1..at),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_types_and_conditions() {
        for (text, expected) in [
            ("enum('connected','error')", &["connected", "error"][..]),
            ("enum('it''s')", &["it's"]),
            (
                "CHECK (((status)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))",
                &["a", "b"],
            ),
            ("no words", &[]),
            ("'open", &[]),
        ] {
            assert_eq!(quoted_words(text), expected, "{text}");
        }
        let sql = "CREATE TABLE t (a TEXT CHECK (a IN ('x','y')), b TEXT, CHECK (b <> 'z'))";
        assert_eq!(words_of_checks(sql, "A"), ["x", "y"]);
        assert_eq!(words_of_checks(sql, "b"), ["z"]);
        assert!(words_of_checks(sql, "c").is_empty());
    }
}
