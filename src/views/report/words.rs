//! Numbers and times as the page shows them.

use jiff::Timestamp;

pub(super) use crate::plan::grouped as count;
use crate::text::beginning;

/// `1 installation`, `1,204 installations`.
pub(super) fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A time span: `0`, `250 ms`, `1.5 s`, `2 min 30 s`, `13 h 45 min`, `9 d`. What is long is cut to whole
/// units.
pub(super) fn elapsed(ms: i64) -> String {
    let (second, minute, hour, day) = (1000, 60_000, 3_600_000, 86_400_000);
    match ms {
        ..=0 => "0".into(),
        1..500 => format!("{ms} ms"),
        500..60_000 => {
            let text = format!("{:.2}", ms as f64 / second as f64);
            format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
        }
        _ if ms < hour => in_two(ms / minute, "min", ms % minute / second, "s"),
        _ if ms < 3 * day => in_two(ms / hour, "h", ms % hour / minute, "min"),
        _ => in_two(ms / day, "d", ms % day / hour, "h"),
    }
}

fn in_two(whole: i64, unit: &str, rest: i64, smaller: &str) -> String {
    match rest {
        0 => format!("{whole} {unit}"),
        _ => format!("{whole} {unit} {rest} {smaller}"),
    }
}

/// Milliseconds of a call or a code, which are cut to whole ones: `85 ms`, `1.2 s`, `9 min 30 s`.
pub(super) fn ms(value: u64) -> String {
    match value {
        0 => "1 ms".into(),
        1..1000 => format!("{value} ms"),
        _ => elapsed(i64::try_from(value).unwrap_or(i64::MAX)),
    }
}

/// Characters of a foreign text that the page shows.
const MOST_CHARS: usize = 160;

/// A foreign text, cut to its beginning; the files have more of it.
pub(super) fn cut(text: &str) -> String {
    beginning(text, MOST_CHARS).into_owned()
}

/// Something that may be missing.
pub(super) fn or_dash(value: Option<impl Into<String>>) -> String {
    value.map_or_else(|| "–".to_owned(), Into::into)
}

/// A time of day for a table: `2026-11-29 13:45:10`.
pub(super) fn utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"é".repeat(200)), "é".repeat(MOST_CHARS) + "…");
    }

    #[test]
    fn numbers_read_well() {
        for (number, text) in [
            (0_u64, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
            (12_345, "12,345"),
        ] {
            assert_eq!(count(number), text);
        }
        for (span, text) in [
            (-5, "0"),
            (0, "0"),
            (42, "42 ms"),
            (500, "0.5 s"),
            (1500, "1.5 s"),
            (2000, "2 s"),
            (12_340, "12.34 s"),
            (60_000, "1 min"),
            (150_000, "2 min 30 s"),
            (49_500_000, "13 h 45 min"),
            (10 * 86_400_000, "10 d"),
        ] {
            assert_eq!(elapsed(span), text);
        }
    }
}
