//! What is sent, as the API names it.

use serde::Serialize;

use super::credentials::Credentials;
use crate::{
    highlevel::version::ApiVersion,
    installation::{Id, Installation, Scope},
};

/// Body of `/oauth/reconnect`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReconnectRequest<'a> {
    client_key: &'a str,
    client_secret: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    location_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company_id: Option<&'a str>,
}

impl<'a> ReconnectRequest<'a> {
    /// Asks for a code for an installation.
    pub(crate) fn of(credentials: &'a Credentials, installation: &'a Installation) -> Self {
        let id = Some(installation.id.as_str());
        let (location_id, company_id) = match installation.scope {
            Scope::Location => (id, None),
            Scope::Company => (None, id),
        };
        let client_secret = credentials.client_secret.0.expose();
        Self { client_key: &credentials.client_id, client_secret, location_id, company_id }
    }
}

/// What is presented for a token pair.
#[derive(Clone, Copy)]
pub(crate) enum PresentedGrant<'a> {
    Code(&'a str),
    RefreshToken(&'a str),
}

/// Names and values of a form.
pub(crate) type Form<'a> = Vec<(&'static str, &'a str)>;

/// The form of `/oauth/token`: `snake_case` in version 2, camelCase in version 3.
pub(crate) fn token_form<'a>(
    version: ApiVersion,
    credentials: &'a Credentials,
    presented: PresentedGrant<'a>,
    scope: Scope,
) -> Form<'a> {
    let (grant, field, value) = match presented {
        PresentedGrant::Code(code) => ("authorization_code", ("code", "code"), code),
        PresentedGrant::RefreshToken(token) => {
            ("refresh_token", ("refresh_token", "refreshToken"), token)
        }
    };
    let fields = [
        (("client_id", "clientId"), Some(credentials.client_id.as_str())),
        (("client_secret", "clientSecret"), Some(credentials.client_secret.0.expose())),
        (("grant_type", "grantType"), Some(grant)),
        (field, Some(value)),
        (("user_type", "userType"), Some(scope.user_type())),
        (("redirect_uri", "redirectUri"), credentials.redirect_uri.as_deref()),
    ];
    let named = |(snake, camel)| match version {
        ApiVersion::V2 => snake,
        ApiVersion::V3 => camel,
    };
    fields.into_iter().filter_map(|(names, value)| Some((named(names), value?))).collect()
}

/// The form that asks for a sub-account's tokens: the same in both versions.
pub(crate) fn location_form<'a>(company: &'a Id, location: &'a Id) -> Form<'a> {
    vec![("companyId", company.as_str()), ("locationId", location.as_str())]
}
