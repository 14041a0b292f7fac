//! Times as a document has them: the app reads the format that it writes, so each one is kept.

use ::mongodb::bson::{Bson, DateTime};
use jiff::Timestamp;

use crate::clock;

/// From here on a number is in milliseconds: in seconds it would be the year 5138.
const MILLISECONDS: i64 = 100_000_000_000;

/// 2090: a later expiry stands for none.
const NEVER: i64 = 3_786_912_000_000;

/// Reads a time in whatever format it is.
pub(super) fn read(value: &Bson) -> Option<Timestamp> {
    match value {
        Bson::DateTime(time) => from_ms(time.timestamp_millis()),
        Bson::String(text) => match text.trim().parse::<i64>() {
            Ok(number) => from_number(number),
            Err(_) => text.trim().parse().ok(),
        },
        other => from_number(whole(other)?),
    }
}

/// Reads an expiry; a year in which no token will live is none.
pub(super) fn read_expiry(value: &Bson) -> Option<Timestamp> {
    read(value).filter(|at| at.as_millisecond() < NEVER)
}

/// A time in the format of the value that it replaces; `otherwise` where there is none. `None` if the
/// format is not known.
pub(super) fn like(old: Option<&Bson>, at: Timestamp, otherwise: Bson) -> Option<Bson> {
    let ms = at.as_millisecond();
    let in_unit_of = |number: i64| if is_seconds(number) { at.as_second() } else { ms };
    match old {
        None | Some(Bson::Null) => Some(otherwise),
        Some(Bson::DateTime(_)) => Some(DateTime::from_millis(ms).into()),
        Some(Bson::String(text)) => {
            if let Ok(number) = text.trim().parse::<i64>() {
                return Some(in_unit_of(number).to_string().into());
            }
            text.trim().parse::<Timestamp>().ok()?;
            Some(clock::stamp(at).into())
        }
        Some(number) => number_like(number, in_unit_of(whole(number)?)),
    }
}

/// A number of the type that it replaces, or of the next one that holds it.
pub(super) fn number_like(old: &Bson, number: i64) -> Option<Bson> {
    match old {
        Bson::Int32(_) => Some(i32::try_from(number).map_or(Bson::Int64(number), Bson::Int32)),
        Bson::Int64(_) => Some(Bson::Int64(number)),
        Bson::Double(_) => Some(double(number)),
        Bson::String(_) => Some(Bson::String(number.to_string())),
        _ => None,
    }
}

/// A number as JavaScript has it.
pub(super) fn double(number: i64) -> Bson {
    // Times in milliseconds are far below 2^53.
    Bson::Double(number as f64)
}

fn from_ms(ms: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(ms).ok().filter(|at| at.as_millisecond() > 0)
}

fn from_number(number: i64) -> Option<Timestamp> {
    from_ms(if is_seconds(number) { number.checked_mul(1000)? } else { number })
}

/// Zero and the like are no time, and tell no unit: the SDKs write milliseconds.
fn is_seconds(number: i64) -> bool {
    (1_000_000..MILLISECONDS).contains(&number)
}

/// A whole number of any type.
pub(super) fn whole(value: &Bson) -> Option<i64> {
    match value {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        #[expect(clippy::cast_possible_truncation, reason = "it saturates, and is no time then")]
        Bson::Double(number) if number.is_finite() => Some(*number as i64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_keeps_the_format_of_the_one_before() {
        let at = Timestamp::from_millisecond(1_800_000_000_123).unwrap();
        let date = |ms| Bson::DateTime(DateTime::from_millis(ms));
        let text = |text: &str| Bson::String(text.into());
        for (old, new) in [
            (None, Some(Bson::Int64(1))),
            (Some(Bson::Null), Some(Bson::Int64(1))),
            (Some(date(0)), Some(date(1_800_000_000_123))),
            (Some(Bson::Int64(1_700_000_000_000)), Some(Bson::Int64(1_800_000_000_123))),
            (Some(Bson::Double(1.7e12)), Some(Bson::Double(1_800_000_000_123.0))),
            (Some(Bson::Int32(1_700_000_000)), Some(Bson::Int32(1_800_000_000))),
            (Some(Bson::Int32(0)), Some(Bson::Int64(1_800_000_000_123))),
            (Some(text("1700000000")), Some(text("1800000000"))),
            (Some(text("2026-11-22T10:00:00Z")), Some(text("2027-01-15T08:00:00.123Z"))),
            (Some(text("next week")), None),
            (Some(Bson::Boolean(true)), None),
        ] {
            assert_eq!(like(old.as_ref(), at, Bson::Int64(1)), new, "{old:?}");
            if let Some(new) = new.filter(|new| *new != Bson::Int64(1)) {
                assert_eq!(read(&new).unwrap().as_second(), at.as_second());
            }
        }
    }

    #[test]
    fn what_is_no_expiry_is_none() {
        for value in [
            Bson::Int64(4_070_908_800_000),
            Bson::Int32(0),
            Bson::Null,
            Bson::String(String::new()),
            Bson::Double(f64::NAN),
        ] {
            assert_eq!(read_expiry(&value), None, "{value:?}");
        }
    }
}
