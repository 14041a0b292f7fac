//! A command that shows a fault to support, with placeholders in the place of secrets.

use super::samples::Sample;
use crate::{failure::Stage, installation::Scope};

/// The call of a stage for one installation; `None` for a stage that calls nobody.
pub fn call(stage: Stage, url: &str, client_id: &str, sample: &Sample) -> Option<String> {
    match stage {
        Stage::Reconnect => Some(reconnect(url, client_id, sample)),
        Stage::Exchange => Some(exchange(url, client_id, sample.scope)),
        Stage::Input | Stage::Refresh | Stage::Agency | Stage::Verify | Stage::Store => None,
    }
}

fn reconnect(url: &str, client_id: &str, sample: &Sample) -> String {
    let id_field = match sample.scope {
        Scope::Location => "locationId",
        Scope::Company => "companyId",
    };
    let body = serde_json::json!({
        "clientKey": client_id, "clientSecret": "<CLIENT_SECRET>", id_field: sample.id,
    });
    format!(
        "# <CLIENT_SECRET> stands for the client secret; never send it along.\n\
         curl -sS -i -X POST {} \\\n  -H 'Content-Type: application/json' \\\n  -d {}",
        quoted(url),
        quoted(&body.to_string())
    )
}

fn exchange(url: &str, client_id: &str, scope: Scope) -> String {
    let fields = [
        format!("client_id={client_id}"),
        "client_secret=<CLIENT_SECRET>".to_owned(),
        "grant_type=authorization_code".to_owned(),
        "code=<CODE>".to_owned(),
        format!("user_type={}", scope.user_type()),
    ];
    let fields = fields.map(|field| format!(" \\\n  --data-urlencode {}", quoted(&field)));
    format!(
        "# <CODE> stands for a fresh code from the Reconnect API for this {scope}, <CLIENT_SECRET>\n\
         # for the client secret; never send them along.\n\
         curl -sS -i -X POST {}{}",
        quoted(url),
        fields.concat()
    )
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::installation::Id;

    #[test]
    fn nothing_in_a_command_is_the_shells() {
        let sample = Sample {
            at: jiff::Timestamp::UNIX_EPOCH,
            scope: Scope::Company,
            id: Id::new("ve9EPM428h8vShlRW1KT").unwrap(),
            trace_id: None,
        };
        for (stage, url) in [
            (Stage::Reconnect, "https://example.com/a'b;$(x)"),
            (Stage::Exchange, "https://example.com/`x`"),
        ] {
            let call = call(stage, url, "id'; rm -rf ~ #", &sample).unwrap();
            let call = call.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
            let words = shlex::split(&call.join("\n").replace("\\\n", " ")).unwrap();
            assert_eq!(&words[..5], ["curl", "-sS", "-i", "-X", "POST"]);
            assert_eq!(words[5], url);
            let all = words.join(" ");
            assert!(all.contains("id'; rm -rf ~ #") && all.contains("<CLIENT_SECRET>"), "{all}");
            assert_eq!(words.len(), if stage == Stage::Reconnect { 10 } else { 16 }, "{words:?}");
        }
    }
}
