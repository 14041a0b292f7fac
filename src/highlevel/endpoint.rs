//! Addresses of the API: one host, over HTTPS, or over HTTP on loopback.

use std::{fmt, net::IpAddr};

use reqwest::Url;
use thiserror::Error;

use super::version::ApiVersion;

/// HighLevel's API.
pub const HIGHLEVEL: &str = "https://services.leadconnectorhq.com";

/// The documented path of the Reconnect API.
pub const RECONNECT_PATH: &str = "/oauth/reconnect";

/// The documented path of the token endpoint.
pub const TOKEN_PATH: &str = "/oauth/token";

/// Why an address is refused. The client secret is sent to it.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EndpointError {
    /// Not a URL at all.
    #[error("--base-url: not a URL; it looks like {HIGHLEVEL}")]
    NotAUrl,
    /// Plain HTTP to another machine, or another scheme.
    #[error(
        "--base-url: {0} is not allowed, since the client secret would travel in the clear; use https (http works for this machine's own loopback address only)"
    )]
    NotSecure(String),
    /// User name, password, query or fragment.
    #[error("--base-url: give scheme, host, port and path only (no user name, query or fragment)")]
    NotPlain,
    /// The address of a call instead of the base.
    #[error("--base-url: leave /oauth/… out; it is put behind the base for each call")]
    IsACall,
    /// A path that would change the host, or is no path.
    #[error(
        "--reconnect-path: must begin with a single / and name a path only, such as {RECONNECT_PATH}"
    )]
    NotAPath,
}

/// The addresses of the calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    base: Url,
    reconnect: Url,
    token: Url,
    version: ApiVersion,
}

impl Endpoint {
    /// Checks a base URL and the path of the Reconnect API.
    pub fn new(base_url: &str, reconnect_path: &str) -> Result<Self, EndpointError> {
        let base = Url::parse(base_url.trim()).map_err(|_| EndpointError::NotAUrl)?;
        let host = base.host_str().ok_or(EndpointError::NotAUrl)?;
        if !(base.scheme() == "https" || base.scheme() == "http" && is_loopback_host(host)) {
            return Err(EndpointError::NotSecure(format!("{}://{host}", base.scheme())));
        }
        let has_user = !base.username().is_empty() || base.password().is_some();
        if has_user || base.query().is_some() || base.fragment().is_some() {
            return Err(EndpointError::NotPlain);
        }
        let path = base.path().trim_end_matches('/');
        if is_a_call(path) {
            return Err(EndpointError::IsACall);
        }
        let reconnect = with_path(&base, reconnect_path)?;
        let token = with_path(&base, TOKEN_PATH)?;
        Ok(Self { base, reconnect, token, version: ApiVersion::default() })
    }

    /// The same endpoint in another version of the API.
    #[must_use]
    pub fn with_version(self, version: ApiVersion) -> Self {
        Self { version, ..self }
    }

    /// The version of the API.
    pub fn version(&self) -> ApiVersion {
        self.version
    }

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        self.base.host_str().is_some_and(is_loopback_host)
    }

    /// Address of the Reconnect API.
    pub fn reconnect(&self) -> Url {
        self.reconnect.clone()
    }

    /// Path of the Reconnect API, below the base.
    pub fn reconnect_path(&self) -> &str {
        self.reconnect
            .path()
            .strip_prefix(self.base.path().trim_end_matches('/'))
            .unwrap_or_default()
    }

    /// Address of the token endpoint.
    pub fn token(&self) -> Url {
        self.token.clone()
    }

    /// Address at which an agency's token gives those of a sub-account.
    pub fn location_token(&self) -> Url {
        self.below(self.version.location_token_path())
    }

    /// Address of the list of an agency's locations.
    pub fn installed_locations(&self) -> Url {
        self.below(self.version.installed_locations_path())
    }

    /// Address of a path below the base, with or without a query. No text changes the host or the
    /// scheme.
    pub fn below(&self, path: &str) -> Url {
        let (path, query) =
            path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url.set_query(query);
        url
    }

    /// The base as it was given, without a closing slash.
    pub fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reconnect.as_str())
    }
}

fn with_path(base: &Url, path: &str) -> Result<Url, EndpointError> {
    let plain = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains(['?', '#', '\\', ' '])
        && !path.contains("..");
    if !plain {
        return Err(EndpointError::NotAPath);
    }
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    Ok(url)
}

fn is_a_call(path: &str) -> bool {
    let versions = [ApiVersion::V2, ApiVersion::V3];
    let of_version = versions
        .into_iter()
        .flat_map(|version| [version.location_token_path(), version.installed_locations_path()]);
    of_version.chain([RECONNECT_PATH, TOKEN_PATH]).any(|call| path.ends_with(call))
}

/// Whether a host name is this machine's own: an address of 127.0.0.0/8, `::1` or `localhost`.
fn is_loopback_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_travels_over_https_or_stays_on_this_machine() {
        for good in [
            HIGHLEVEL,
            "https://services.leadconnectorhq.com/",
            "http://127.0.0.1:8080",
            "http://localhost:1",
            "http://[::1]:9/prefix",
        ] {
            assert!(Endpoint::new(good, RECONNECT_PATH).is_ok(), "{good}");
        }
        for (bad, error) in [
            ("", EndpointError::NotAUrl),
            ("services.leadconnectorhq.com", EndpointError::NotAUrl),
            ("http://example.com", EndpointError::NotSecure("http://example.com".into())),
            (
                "http://127.0.0.1.example.com",
                EndpointError::NotSecure("http://127.0.0.1.example.com".into()),
            ),
            ("ftp://127.0.0.1", EndpointError::NotSecure("ftp://127.0.0.1".into())),
            ("https://user:pass@example.com", EndpointError::NotPlain),
            ("https://example.com/?x=1", EndpointError::NotPlain),
            ("https://example.com/oauth/reconnect/", EndpointError::IsACall),
            ("https://example.com/v3/oauth/token", EndpointError::IsACall),
            ("https://example.com/oauth/locationToken", EndpointError::IsACall),
        ] {
            assert_eq!(Endpoint::new(bad, RECONNECT_PATH), Err(error), "{bad}");
        }
    }

    #[test]
    fn a_path_never_changes_the_host() {
        for bad in ["oauth", "//evil.example/x", "/a?b", "/a#b", "/../x", ""] {
            assert_eq!(Endpoint::new(HIGHLEVEL, bad), Err(EndpointError::NotAPath), "{bad}");
        }
        let moved = Endpoint::new("https://example.com/api/", "/v3/oauth/reconnect").unwrap();
        assert_eq!(moved.reconnect().as_str(), "https://example.com/api/v3/oauth/reconnect");
        assert_eq!(moved.token().as_str(), "https://example.com/api/oauth/token");
    }

    #[test]
    fn a_version_has_its_paths_and_no_path_changes_the_host() {
        let endpoint = Endpoint::new("https://example.com/api/", RECONNECT_PATH).unwrap();
        assert_eq!(
            endpoint.location_token().as_str(),
            "https://example.com/api/oauth/locationToken"
        );
        let third = endpoint.clone().with_version(ApiVersion::V3);
        assert_eq!(third.location_token().as_str(), "https://example.com/api/oauth/location-token");
        assert_eq!(
            third.installed_locations().as_str(),
            "https://example.com/api/oauth/installed-locations"
        );
        for path in ["/contacts/?a=b&c=d", "@evil.example/x", "//evil.example", "/../../x", ":1/"] {
            let url = endpoint.below(path);
            assert_eq!((url.host_str(), url.port()), (Some("example.com"), None), "{path}");
            assert!(url.as_str().starts_with("https://example.com/"), "{url}");
        }
        let contacts = endpoint.below("/contacts/?a=b&c=d");
        assert_eq!(contacts.as_str(), "https://example.com/api/contacts/?a=b&c=d");
    }
}
