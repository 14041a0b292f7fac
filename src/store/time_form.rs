//! How a column writes a time, told from the values that it has.

use std::fmt;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::{
    column::{Cell, Column, Family},
    sql::Value,
};

/// The first year of times that stand for "never".
const NEVER: i16 = 2090;

/// Whole seconds since 1970 in this range are a time: from 2001 to 5138. A thousandfold are
/// milliseconds.
const SECONDS: std::ops::Range<i64> = 1_000_000_000..100_000_000_000;
const MILLISECONDS: std::ops::Range<i64> = 1_000_000_000_000..100_000_000_000_000;

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeForm {
    /// In a column of a type that has a zone, with so many digits after the seconds.
    Zoned(u8),
    /// In a column of a type that has none: UTC.
    Naive(u8),
    /// As a text by ISO 8601.
    Iso(IsoForm),
    /// As a count since 1970.
    Epoch(Unit, Number),
}

/// A text by ISO 8601: what stands between date and time, how many digits follow the seconds, and how
/// it names UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsoForm {
    /// A `T` stands between date and time, else a blank.
    pub has_t: bool,
    /// Digits after the seconds.
    pub digits: u8,
    /// How the text ends.
    pub zone: Zone,
}

impl IsoForm {
    /// As JavaScript writes it: `2026-11-29T10:00:00.000Z`.
    pub const JAVASCRIPT: Self = Self { has_t: true, digits: 3, zone: Zone::Z };
}

/// How a text names UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// Not at all.
    None,
    /// `Z`.
    Z,
    /// `+00:00`.
    Offset,
    /// `+0000`.
    Plain,
    /// `+00`.
    Hours,
}

/// The unit of a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Second,
    /// Milliseconds.
    Millisecond,
}

/// What a count is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// A whole number.
    Int,
    /// A number with a fraction.
    Real,
    /// Digits in a text.
    Text,
}

/// What the values of a column tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// All of them are of this form.
    Form(TimeForm),
    /// Most of them are; some are of another.
    Mostly(TimeForm),
    /// There are none that tell.
    Nothing,
    /// They are no times, or as many of one form as of another.
    Unclear,
}

impl TimeForm {
    /// The moment that a text of this form means. A time that stands for "never" is none.
    pub fn moment(self, text: &str) -> Option<Timestamp> {
        let moment = match self {
            Self::Zoned(_) | Self::Naive(_) | Self::Iso(_) => iso(text.trim())?.1,
            Self::Epoch(unit, _) => {
                let count: f64 = text.trim().parse().ok()?;
                let ms = match unit {
                    Unit::Second => count * 1000.0,
                    Unit::Millisecond => count,
                };
                if !(0.0..253_402_300_000_000.0).contains(&ms) {
                    return None;
                }
                #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
                Timestamp::from_millisecond(ms.round() as i64).ok()?
            }
        };
        (moment.to_zoned(TimeZone::UTC).year() < NEVER).then_some(moment)
    }

    /// A moment in this form, cut to what the form has room for.
    pub fn write(self, moment: Timestamp) -> Value {
        match self {
            Self::Zoned(digits) => {
                Value::Text(IsoForm { has_t: true, digits, zone: Zone::Z }.write(moment))
            }
            Self::Naive(digits) => {
                Value::Text(IsoForm { has_t: false, digits, zone: Zone::None }.write(moment))
            }
            Self::Iso(form) => Value::Text(form.write(moment)),
            Self::Epoch(unit, number) => count(moment, unit, number),
        }
    }

    /// What `as` is for it in a mapping file; `None` where the type of the column says it.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Zoned(_) | Self::Naive(_) => None,
            Self::Iso(_) => Some("iso"),
            Self::Epoch(Unit::Second, _) => Some("epoch_s"),
            Self::Epoch(Unit::Millisecond, _) => Some("epoch_ms"),
        }
    }
}

fn count(moment: Timestamp, unit: Unit, number: Number) -> Value {
    let ms = moment.as_millisecond();
    let whole = match unit {
        Unit::Second => ms.div_euclid(1000),
        Unit::Millisecond => ms,
    };
    match (number, unit) {
        (Number::Int, _) => Value::Int(whole),
        (Number::Text, _) => Value::Text(whole.to_string()),
        (Number::Real, Unit::Second) => Value::Real(ms as f64 / 1000.0),
        (Number::Real, Unit::Millisecond) => Value::Real(ms as f64),
    }
}

impl IsoForm {
    fn write(self, moment: Timestamp) -> String {
        let time = moment.to_zoned(TimeZone::UTC).datetime();
        let between = if self.has_t { 'T' } else { ' ' };
        let mut text = format!(
            "{}{between}{:02}:{:02}:{:02}",
            time.date(),
            time.hour(),
            time.minute(),
            time.second()
        );
        if self.digits > 0 {
            let fraction = format!("{:09}", time.subsec_nanosecond());
            text.push('.');
            text.push_str(&fraction[..usize::from(self.digits.min(9))]);
        }
        text.push_str(match self.zone {
            Zone::None => "",
            Zone::Z => "Z",
            Zone::Offset => "+00:00",
            Zone::Plain => "+0000",
            Zone::Hours => "+00",
        });
        text
    }
}

/// Reads a text by ISO 8601 with date and time; without a zone it is UTC.
fn iso(text: &str) -> Option<(IsoForm, Timestamp)> {
    let bytes = text.as_bytes();
    let between = *bytes.get(10)?;
    if !(between == b'T' || between == b' ') || bytes.get(19 - 3) != Some(&b':') {
        return None;
    }
    let after = text.get(19..)?;
    let fraction = after.strip_prefix('.').unwrap_or("");
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let fraction_end = if digits > 0 { 1 + digits } else { 0 };
    let end = after.get(fraction_end..)?;
    let sign_at = |at: usize| matches!(end.as_bytes().get(at), Some(b'+' | b'-'));
    let (zone, offset) = match end.len() {
        0 => (Zone::None, 0),
        1 if end == "Z" => (Zone::Z, 0),
        3 if sign_at(0) => (Zone::Hours, offset(end, &end[1..3], "00")?),
        5 if sign_at(0) => (Zone::Plain, offset(end, &end[1..3], &end[3..5])?),
        6 if sign_at(0) => (Zone::Offset, offset(end, &end[1..3], &end[4..6])?),
        _ => return None,
    };
    let time: DateTime = text.get(..19 + fraction_end)?.replace(' ', "T").parse().ok()?;
    let utc = time.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let moment = utc.checked_sub(jiff::SignedDuration::from_mins(offset)).ok()?;
    let digits = u8::try_from(digits).ok()?;
    Some((IsoForm { has_t: between == b'T', digits, zone }, moment))
}

fn offset(end: &str, hours: &str, minutes: &str) -> Option<i64> {
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let offset = hours * 60 + minutes;
    Some(if end.starts_with('-') { -offset } else { offset })
}

/// Tells the form of a column from its type and its values.
pub fn told(column: &Column, cells: &[Cell]) -> Told {
    // Our own times have three.
    let digits = column.precision.min(3);
    match column.family {
        Family::Zoned => return Told::Form(TimeForm::Zoned(digits)),
        Family::Naive => return Told::Form(TimeForm::Naive(digits)),
        _ => {}
    }
    let mut forms: Vec<(TimeForm, usize)> = Vec::new();
    let mut unclear = 0;
    for cell in cells {
        let Some(text) = cell.filled() else { continue };
        match form_of(text.trim(), cell.family) {
            Some(Ok(form)) => match forms.iter_mut().find(|(known, _)| is_alike(*known, form)) {
                Some((known, count)) => {
                    *known = wider(*known, form);
                    *count += 1;
                }
                None => forms.push((form, 1)),
            },
            Some(Err(())) => unclear += 1,
            None => {}
        }
    }
    forms.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    match forms[..] {
        [] if unclear > 0 => Told::Unclear,
        // Milliseconds have no room in 32 bits.
        [] if column.family == Family::Int && column.is_narrow => {
            Told::Form(TimeForm::Epoch(Unit::Second, Number::Int))
        }
        [] => Told::Nothing,
        [(form, _)] if unclear == 0 => Told::Form(form),
        [(form, count), ..] => {
            let others = forms.iter().skip(1).map(|(_, count)| count).sum::<usize>() + unclear;
            if count > 2 * others { Told::Mostly(form) } else { Told::Unclear }
        }
    }
}

/// The form of one value; `None` where it says nothing, an error where it is no time.
fn form_of(text: &str, family: Family) -> Option<Result<TimeForm, ()>> {
    let number = match family {
        Family::Int => Number::Int,
        Family::Real => Number::Real,
        _ => Number::Text,
    };
    if let Some((form, _)) = iso(text) {
        return Some(Ok(TimeForm::Iso(form)));
    }
    let count: f64 = match text.parse() {
        Ok(count) => count,
        Err(_) => return Some(Err(())),
    };
    let is_whole = count.fract() == 0.0;
    // NUMERIC and DECIMAL columns hold whole numbers too, and read as such.
    let number = if number == Number::Real && is_whole && !text.contains('.') {
        Number::Int
    } else {
        number
    };
    #[expect(clippy::cast_possible_truncation, reason = "a float out of range becomes the bound")]
    let whole = count as i64;
    match whole {
        // Nothing, or "never": 31 December 9999 in seconds.
        0 | 253_402_000_000..=253_402_400_000 => None,
        _ if SECONDS.contains(&whole) => Some(Ok(TimeForm::Epoch(Unit::Second, number))),
        _ if MILLISECONDS.contains(&whole) => Some(Ok(TimeForm::Epoch(Unit::Millisecond, number))),
        _ => Some(Err(())),
    }
}

/// Whether two values can be of one column: Python leaves a fraction of zero out.
fn is_alike(a: TimeForm, b: TimeForm) -> bool {
    match (a, b) {
        (TimeForm::Iso(a), TimeForm::Iso(b)) => a.has_t == b.has_t && a.zone == b.zone,
        (
            TimeForm::Epoch(a, Number::Int | Number::Real),
            TimeForm::Epoch(b, Number::Int | Number::Real),
        ) => a == b,
        _ => a == b,
    }
}

fn wider(a: TimeForm, b: TimeForm) -> TimeForm {
    match (a, b) {
        (TimeForm::Iso(a), TimeForm::Iso(b)) => {
            TimeForm::Iso(IsoForm { digits: a.digits.max(b.digits), ..a })
        }
        (TimeForm::Epoch(unit, _), TimeForm::Epoch(_, Number::Real)) => {
            TimeForm::Epoch(unit, Number::Real)
        }
        _ => a,
    }
}

impl fmt::Display for TimeForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zoned(_) => f.write_str("a timestamp with a zone"),
            Self::Naive(_) => f.write_str("a timestamp in UTC"),
            Self::Iso(form) => write!(f, "text such as {}", form.write(Timestamp::UNIX_EPOCH)),
            Self::Epoch(Unit::Second, Number::Text) => f.write_str("seconds since 1970, as text"),
            Self::Epoch(Unit::Second, _) => f.write_str("seconds since 1970"),
            Self::Epoch(Unit::Millisecond, Number::Text) => {
                f.write_str("milliseconds since 1970, as text")
            }
            Self::Epoch(Unit::Millisecond, _) => f.write_str("milliseconds since 1970"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_of(family: Family, is_narrow: bool, texts: &[&str]) -> Told {
        let column = Column { family, is_narrow, precision: 6, ..Column::unknown("c") };
        told(&column, &cells(family, texts))
    }

    fn cells(family: Family, texts: &[&str]) -> Vec<Cell> {
        let cell = |text: &&str| Cell { text: Some((*text).to_owned()), family };
        texts.iter().map(cell).collect()
    }

    fn text(value: Value) -> String {
        match value {
            Value::Text(text) => text,
            Value::Int(count) => count.to_string(),
            Value::Real(count) => format!("{count:?}"),
            Value::Null => "?".to_owned(),
        }
    }

    #[test]
    fn a_time_is_written_as_the_column_has_it() {
        let moment: Timestamp = "2026-11-29T10:20:30.456Z".parse().unwrap();
        for (family, old, new) in [
            (Family::Text, "2025-01-02T03:04:05.678Z", "2026-11-29T10:20:30.456Z"),
            (Family::Text, "2025-01-02T03:04:05Z", "2026-11-29T10:20:30Z"),
            (Family::Text, "2025-01-02 03:04:05", "2026-11-29 10:20:30"),
            (Family::Text, "2025-01-02T03:04:05.678901", "2026-11-29T10:20:30.456000"),
            (Family::Text, "2025-01-02T03:04:05.678901+00:00", "2026-11-29T10:20:30.456000+00:00"),
            (Family::Text, "2025-01-02 03:04:05+00", "2026-11-29 10:20:30+00"),
            (Family::Text, "1735787045", "1795947630"),
            (Family::Text, "1735787045678", "1795947630456"),
            (Family::Int, "1735787045", "1795947630"),
            (Family::Int, "1735787045678", "1795947630456"),
            (Family::Real, "1735787045.678", "1795947630.456"),
            (Family::Real, "1735787045", "1795947630"),
            (Family::Zoned, "2025-01-02 03:04:05+00", "2026-11-29T10:20:30.456Z"),
            (Family::Naive, "2025-01-02 03:04:05", "2026-11-29 10:20:30.456"),
        ] {
            match told_of(family, false, &[old]) {
                Told::Form(form) => {
                    assert_eq!(text(form.write(moment)), new, "{old}");
                    let read = form.moment(old).unwrap().as_second();
                    assert_eq!(read, 1_735_787_045, "{old}");
                }
                told => panic!("{old}: {told:?}"),
            }
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_guessed() {
        for (family, is_narrow, old, expected) in [
            (Family::Int, false, &[][..], Told::Nothing),
            (Family::Int, true, &[], Told::Form(TimeForm::Epoch(Unit::Second, Number::Int))),
            (Family::Int, false, &["0"], Told::Nothing),
            (Family::Int, false, &["86399"], Told::Unclear),
            (Family::Int, false, &["1735787045", "1735787045678"], Told::Unclear),
            (Family::Text, false, &["Thu Jan 02 2025"], Told::Unclear),
            (Family::Text, false, &["2025-01-02T03:04:05Z", "2025-01-02 03:04:05"], Told::Unclear),
            (Family::Text, false, &["2025-01-02"], Told::Unclear),
            (Family::Int, false, &["253402300799"], Told::Nothing),
        ] {
            assert_eq!(told_of(family, is_narrow, old), expected, "{old:?}");
        }
        let mixed = ["2025-01-02T03:04:05Z"; 5];
        let mixed: Vec<_> = mixed.into_iter().chain(["2025-01-02 03:04:05"]).collect();
        let told = told_of(Family::Text, false, &mixed);
        assert!(matches!(told, Told::Mostly(TimeForm::Iso(IsoForm { has_t: true, .. }))));
    }

    #[test]
    fn never_is_no_time() {
        let seconds = TimeForm::Epoch(Unit::Second, Number::Int);
        assert_eq!(seconds.moment("4070908800"), None);
        assert_eq!(TimeForm::Zoned(3).moment("2099-12-31 23:59:59+00"), None);
        assert_eq!(TimeForm::Zoned(3).moment("infinity"), None);
    }
}
