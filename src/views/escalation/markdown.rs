//! Foreign text in Markdown: it stands in code, and cannot get out of it.

/// A code span around a text of one line, whatever backticks the text has.
pub fn span(text: &str) -> String {
    let fence = "`".repeat(longest_run(text) + 1);
    let blank = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{blank}{text}{blank}{fence}")
}

/// A code block around a text, whatever backticks the text has.
pub fn block(language: &str, text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_gets_out_of_its_code() {
        for (text, code) in [
            ("plain <b>| text", "`plain <b>| text`"),
            ("a `b` c", "``a `b` c``"),
            ("`", "`` ` ``"),
            ("``` <script>", "```` ``` <script> ````"),
        ] {
            assert_eq!(span(text), code);
        }
        assert_eq!(block("sh", "echo"), "```sh\necho\n```");
        assert_eq!(block("", "x\n````\ny"), "`````\nx\n````\ny\n`````");
    }
}
