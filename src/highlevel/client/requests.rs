//! What is sent, as the API names it.

use serde::Serialize;

use super::credentials::Credentials;
use crate::{
    highlevel::version::ApiVersion,
    installation::{Id, Scope},
};

/// Body of `/oauth/reconnect`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReconnectRequest<'a> {
    pub(crate) client_key: &'a str,
    pub(crate) client_secret: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) location_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) company_id: Option<&'a str>,
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
