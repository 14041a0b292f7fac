//! A command that shows a fault to support, with placeholders in the place of secrets.

use super::samples::Sample;
use crate::{
    failure::Stage,
    highlevel::{
        client::{
            Credentials,
            requests::{Form, PresentedGrant, ReconnectRequest, location_form, token_form},
        },
        endpoint::Endpoint,
        token_check::TokenCheckPath,
    },
    installation::{Installation, Scope},
    secret::{ClientSecret, Secret},
};

const CLIENT_SECRET: &str = "<CLIENT_SECRET>";

/// What stands in the place of secrets, and of what the list does not name.
const PLACEHOLDERS: [(&str, &str); 6] = [
    ("<CODE>", "a fresh code from the Reconnect API for the installation"),
    ("<REFRESH_TOKEN>", "the refresh token of the installation"),
    ("<AGENCY_TOKEN>", "an access token of the agency"),
    ("<ACCESS_TOKEN>", "the access token that was just granted"),
    ("<COMPANY_ID>", "the company id of the agency"),
    (CLIENT_SECRET, "the client secret"),
];

/// Who calls, and where.
pub struct Caller<'a> {
    /// The addresses.
    pub endpoint: &'a Endpoint,
    /// The app.
    pub client_id: &'a str,
    /// Sent with each exchange.
    pub redirect_uri: Option<&'a str>,
    /// Where access tokens are checked.
    pub token_check: &'a TokenCheckPath,
    /// The header `User-Agent`.
    pub user_agent: &'a str,
}

/// The method and the address of the call of a stage; `None` for a stage that calls nobody.
pub fn address(stage: Stage, caller: &Caller<'_>, sample: Option<&Sample>) -> Option<String> {
    let endpoint = caller.endpoint;
    let (method, url) = match stage {
        Stage::Reconnect => ("POST", endpoint.reconnect()),
        Stage::Exchange | Stage::Refresh => ("POST", endpoint.token()),
        Stage::Agency => ("POST", endpoint.location_token()),
        Stage::Verify => ("GET", endpoint.below(&caller.token_check.of(&installation(sample?)))),
        Stage::Input | Stage::Store => return None,
    };
    Some(format!("{method} {url}"))
}

/// The call of a stage for one installation; `None` for a stage that calls nobody.
pub fn call(stage: Stage, caller: &Caller<'_>, sample: &Sample) -> Option<String> {
    let address = address(stage, caller, Some(sample))?;
    let (method, url) = address.split_once(' ')?;
    let version = caller.endpoint.version();
    let (version, more) = match stage {
        Stage::Reconnect => (None, reconnect(caller, sample)?),
        Stage::Exchange => {
            let form = form(caller, PresentedGrant::Code("<CODE>"), sample.scope);
            (version.token_header(), form)
        }
        Stage::Refresh => {
            let form = form(caller, PresentedGrant::RefreshToken("<REFRESH_TOKEN>"), sample.scope);
            (version.token_header(), form)
        }
        Stage::Agency => (Some(version.header()), agency(sample)),
        Stage::Verify => (Some(version.header()), vec![bearer("<ACCESS_TOKEN>")]),
        Stage::Input | Stage::Store => return None,
    };
    let head = format!("curl -sS -i -X {method} {}", quoted(url));
    let agent = format!("-A {}", quoted(caller.user_agent));
    let accept = "-H 'Accept: application/json'".to_owned();
    let version = version.map(|version| format!("-H {}", quoted(&format!("Version: {version}"))));
    let words = [head, agent, accept].into_iter().chain(version).chain(more);
    let command = words.collect::<Vec<_>>().join(" \\\n  ");
    let notes = PLACEHOLDERS.iter().filter(|(name, _)| command.contains(name));
    let notes = notes.map(|(name, what)| format!("# {name} stands for {what}\n"));
    Some(format!("{}# Never send these along.\n{command}", notes.collect::<String>()))
}

fn reconnect(caller: &Caller<'_>, sample: &Sample) -> Option<Vec<String>> {
    let (credentials, installation) = (credentials(caller), installation(sample));
    let body = ReconnectRequest::of(&credentials, &installation);
    let body = serde_json::to_string(&body).ok()?;
    let content_type = "-H 'Content-Type: application/json'".to_owned();
    Some(vec![content_type, format!("-d {}", quoted(&body))])
}

fn form(caller: &Caller<'_>, presented: PresentedGrant<'_>, scope: Scope) -> Vec<String> {
    let credentials = credentials(caller);
    fields(&token_form(caller.endpoint.version(), &credentials, presented, scope)).collect()
}

fn credentials(caller: &Caller<'_>) -> Credentials {
    Credentials {
        client_id: caller.client_id.to_owned(),
        client_secret: ClientSecret(Secret::new(CLIENT_SECRET.to_owned())),
        redirect_uri: caller.redirect_uri.map(str::to_owned),
    }
}

/// The agency's id is a placeholder where the list does not name it.
fn agency(sample: &Sample) -> Vec<String> {
    let form = match &sample.company {
        Some(company) => location_form(company, &sample.id),
        None => vec![("companyId", "<COMPANY_ID>"), ("locationId", sample.id.as_str())],
    };
    std::iter::once(bearer("<AGENCY_TOKEN>")).chain(fields(&form)).collect()
}

fn bearer(token: &str) -> String {
    format!("-H 'Authorization: Bearer {token}'")
}

fn fields(form: &Form<'_>) -> impl Iterator<Item = String> {
    let field = |(name, value): &(&str, &str)| {
        format!("--data-urlencode {}", quoted(&format!("{name}={value}")))
    };
    form.iter().map(field)
}

fn installation(sample: &Sample) -> Installation {
    let Sample { scope, id, company, .. } = sample.clone();
    Installation { scope, id, company }
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{highlevel::version::ApiVersion, installation::Id};

    const ODD: &str = "id'; rm -rf ~ #";

    fn words(stage: Stage, version: ApiVersion) -> Vec<String> {
        words_for(Id::new("tDtDnQdgm2LXpyiqYvZ6"), stage, version)
    }

    fn words_for(company: Option<Id>, stage: Stage, version: ApiVersion) -> Vec<String> {
        let endpoint = Endpoint::new("https://example.com/a'b;$(x)", "/oauth/reconnect").unwrap();
        let caller = Caller {
            endpoint: &endpoint.with_version(version),
            client_id: ODD,
            redirect_uri: Some("https://a.example/cb?x='"),
            token_check: &TokenCheckPath::Usual,
            user_agent: "ghl-reconnect/0",
        };
        let sample = Sample {
            at: jiff::Timestamp::UNIX_EPOCH,
            scope: Scope::Location,
            id: Id::new("ve9EPM428h8vShlRW1KT").unwrap(),
            company,
            trace_id: None,
        };
        let call = call(stage, &caller, &sample).unwrap();
        let (notes, command): (Vec<_>, Vec<_>) =
            call.lines().partition(|line| line.starts_with('#'));
        let command = command.join("\n");
        for placeholder in command.split(['<', '>']).skip(1).step_by(2) {
            let is_named = notes.iter().any(|note| note.contains(&format!("<{placeholder}>")));
            assert!(is_named, "{placeholder}: {call}");
        }
        shlex::split(&command.replace("\\\n", " ")).unwrap()
    }

    #[test]
    fn an_agency_that_the_list_does_not_name_is_explained() {
        let words = words_for(None, Stage::Agency, ApiVersion::V2);
        assert!(words.contains(&"companyId=<COMPANY_ID>".to_owned()), "{words:?}");
    }

    #[test]
    fn every_route_has_a_call_and_nothing_in_it_is_the_shells() {
        use ApiVersion::{V2, V3};
        for (stage, version, method, path, parts) in [
            (
                Stage::Reconnect,
                V2,
                "POST",
                "/oauth/reconnect",
                &[ODD, "locationId", CLIENT_SECRET][..],
            ),
            (
                Stage::Exchange,
                V2,
                "POST",
                "/oauth/token",
                &["code=<CODE>", "user_type=Location", "redirect_uri=https://a.example/cb?x='"],
            ),
            (
                Stage::Exchange,
                V3,
                "POST",
                "/oauth/token",
                &["Version: v3", "userType=Location", "clientSecret=<CLIENT_SECRET>"],
            ),
            (
                Stage::Refresh,
                V2,
                "POST",
                "/oauth/token",
                &["grant_type=refresh_token", "refresh_token=<REFRESH_TOKEN>"],
            ),
            (
                Stage::Agency,
                V2,
                "POST",
                "/oauth/locationToken",
                &[
                    "Authorization: Bearer <AGENCY_TOKEN>",
                    "companyId=tDtDnQdgm2LXpyiqYvZ6",
                    "Version: 2021-07-28",
                ],
            ),
            (
                Stage::Agency,
                V3,
                "POST",
                "/oauth/location-token",
                &["locationId=ve9EPM428h8vShlRW1KT"],
            ),
            (
                Stage::Verify,
                V2,
                "GET",
                "/locations/ve9EPM428h8vShlRW1KT",
                &["Authorization: Bearer <ACCESS_TOKEN>", "Version: 2021-07-28"],
            ),
        ] {
            let words = words(stage, version);
            assert_eq!(&words[..5], ["curl", "-sS", "-i", "-X", method], "{stage}");
            assert!(
                words[5].starts_with("https://example.com/") && words[5].ends_with(path),
                "{words:?}"
            );
            assert_eq!(&words[6..8], ["-A", "ghl-reconnect/0"], "{stage}");
            for part in parts {
                assert!(words.iter().any(|word| word.contains(part)), "{part}: {words:?}");
            }
            let is_option = |word: &&String| word.starts_with('-');
            let values = words[6..].iter().filter(|word| !is_option(word)).count();
            assert_eq!(words[6..].iter().filter(is_option).count(), values, "{words:?}");
        }
    }
}
