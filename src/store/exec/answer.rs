//! What the helper answers.

use serde_json::Value;

use crate::{
    event::StoreOutcome,
    store::{program::Words, written::Written},
};

/// An answer, by the number of its pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) seq: u64,
    pub(super) written: Written,
}

/// Reads an answer; `None` if the line does not say of which pair it is. One without an outcome that
/// is known counts as `failed`.
pub(super) fn read(line: &str, words: &Words) -> Option<Answer> {
    let answer: Value = serde_json::from_str(line).ok()?;
    let seq = answer.get("seq")?.as_u64()?;
    let outcome = answer.get("outcome").and_then(Value::as_str);
    let message = match answer.get("message") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(message)) => message.clone(),
        Some(other) => other.to_string(),
    };
    let known = outcome.and_then(|name| StoreOutcome::ALL.into_iter().find(|o| o.name() == name));
    let written = match known {
        Some(outcome) => Written { outcome, message: words.message(&message) },
        None => Written {
            outcome: StoreOutcome::Failed,
            message: words.message(&format!("{}. {message}", unknown(outcome))),
        },
    };
    Some(Answer { seq, written })
}

fn unknown(outcome: Option<&str>) -> String {
    let names = StoreOutcome::ALL.map(StoreOutcome::name).join(", ");
    match outcome {
        Some(outcome) => {
            format!("the helper answered with the outcome `{outcome}`, not one of {names}")
        }
        None => format!("the helper answered without an `outcome`, one of {names}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn an_answer_has_a_number_and_one_of_nine_outcomes() {
        let words = Words::default();
        words.learn(&Secret::new("opensesame".into()));
        let failed = StoreOutcome::Failed;
        for (line, expected) in [
            (r#"{"seq":7,"outcome":"replaced"}"#, Some((7, StoreOutcome::Replaced, ""))),
            (r#"{"seq":7,"outcome":"not_ours","more":[1]}"#, Some((7, StoreOutcome::NotOurs, ""))),
            (
                r#"{"seq":7,"outcome":"failed","message":"opensesame is too long"}"#,
                Some((7, failed, "[secret] is too long")),
            ),
            (
                r#"{"seq":7,"outcome":"failed","message":{"code":3}}"#,
                Some((7, failed, r#"{"code":3}"#)),
            ),
            (
                r#"{"seq":7,"outcome":"done"}"#,
                Some((7, failed, "the helper answered with the outcome `done`")),
            ),
            (r#"{"seq":7}"#, Some((7, failed, "the helper answered without an `outcome`"))),
            (r#"{"seq":-7,"outcome":"replaced"}"#, None),
            (r#"{"outcome":"replaced"}"#, None),
            ("[]", None),
            ("connected", None),
            ("", None),
        ] {
            let answer = read(line, &words);
            let seen = answer.as_ref().map(|a| (a.seq, a.written.outcome));
            assert_eq!(seen, expected.map(|(seq, outcome, _)| (seq, outcome)), "{line}");
            if let (Some(answer), Some((_, _, message))) = (answer, expected) {
                assert!(answer.written.message.as_str().starts_with(message), "{line}");
            }
        }
    }
}
