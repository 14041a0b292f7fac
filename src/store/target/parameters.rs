//! The parameters of a URL: those of libpq and of the MySQL clients, and of the other tools that read
//! the same variable. What is not known is left out, and never logged.

use std::path::PathBuf;

use super::{fault::Fault, sql_target::TlsFiles};
use crate::secret::Secret;

/// What a URL asks of the connection's safety.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsWish {
    /// Plain text, or plain text where the server wants it.
    Plain,
    /// TLS with whatever certificate.
    Encrypted,
    /// A certificate of a known issuer.
    Issuer,
    /// A certificate of a known issuer for this host.
    Full,
}

/// What the parameters say.
#[derive(Default)]
pub struct Parameters {
    /// Instead of the URL's host; a socket where it begins with `/`.
    pub host: Option<String>,
    /// Instead of the URL's port.
    pub port: Option<String>,
    /// A socket.
    pub socket: Option<String>,
    /// Instead of the URL's user.
    pub user: Option<String>,
    /// Instead of the URL's password.
    pub password: Option<Secret>,
    /// Instead of the URL's database.
    pub database: Option<String>,
    /// Where the table is looked for first.
    pub schema: Option<String>,
    /// What is asked of the connection.
    pub tls: Option<TlsWish>,
    /// The files of a TLS connection.
    pub files: TlsFiles,
    /// Neon's name of the server.
    pub endpoint: Option<String>,
}

impl Parameters {
    /// Reads them.
    pub fn read(pairs: &[(String, String)]) -> Result<Self, Fault> {
        let mut read = Self::default();
        let mut accept = None;
        let (mut certificate, mut key) = (None, None);
        for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
            let text = || Some(value.clone());
            match name.to_ascii_lowercase().replace(['-', '_'], "").as_str() {
                "host" => read.host = text(),
                "hostaddr" => read.host = read.host.or_else(text),
                "port" => read.port = text(),
                "socket" | "unixsocket" | "socketpath" => read.socket = text(),
                "user" => read.user = text(),
                "password" => read.password = Some(Secret::new(value.clone())),
                "dbname" => read.database = text(),
                "schema" | "currentschema" => read.schema = text(),
                "sslmode" | "ssl" | "tls" | "usessl" => read.tls = Some(tls_word(value)?),
                "sslaccept" => accept = Some(value == "strict"),
                "verifyservercertificate" | "sslverifycert" => {
                    accept = Some(!matches!(value.as_str(), "false" | "0"));
                }
                // The public issuers are known here.
                "sslrootcert" if value == "system" => {}
                "sslrootcert" | "sslca" | "cafile" => read.files.roots = Some(value.into()),
                "sslcert" => certificate = Some(PathBuf::from(value)),
                "sslkey" => key = Some(PathBuf::from(value)),
                "options" => read.options(value),
                "options[endpoint]" => read.endpoint = text(),
                "options[searchpath]" => read.schema = read.schema.or_else(|| first_schema(value)),
                _ => {}
            }
        }
        read.accept(accept);
        read.certificates(certificate, key);
        Ok(read)
    }

    /// Prisma's `sslaccept` says whether the certificate is checked.
    fn accept(&mut self, is_strict: Option<bool>) {
        let Some(is_strict) = is_strict else { return };
        if self.tls != Some(TlsWish::Plain) {
            self.tls = Some(if is_strict { TlsWish::Full } else { TlsWish::Encrypted });
        }
    }

    /// A certificate without a key is the issuer's, as Prisma writes it.
    fn certificates(&mut self, certificate: Option<PathBuf>, key: Option<PathBuf>) {
        match (certificate, key) {
            (Some(certificate), Some(key)) => self.files.client = Some((certificate, key)),
            (Some(certificate), None) if self.files.roots.is_none() => {
                self.files.roots = Some(certificate);
            }
            _ => {}
        }
    }

    /// The settings of `options`: Neon's endpoint is sent, a search path says where to look first, and
    /// the rest stays here, since poolers refuse it.
    fn options(&mut self, value: &str) {
        let value = value.replace('+', " ").replace("\\ ", " ");
        for word in value.split_whitespace() {
            let word = word.trim_start_matches("--").trim_start_matches("-c");
            match word.split_once('=') {
                Some(("endpoint" | "project", id)) if is_plain(id) => {
                    self.endpoint = Some(id.to_owned());
                }
                Some(("search_path", path)) if self.schema.is_none() => {
                    self.schema = first_schema(path);
                }
                _ => {}
            }
        }
    }
}

fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// The first schema of a search path that is not made of the user's name.
fn first_schema(path: &str) -> Option<String> {
    let names = path.split(',').map(|name| name.trim().trim_matches(['"', '\'']));
    names.filter(|name| !name.is_empty() && !name.starts_with('$')).map(str::to_owned).next()
}

/// The words of libpq, of Node, Go and Python, and of the MySQL clients.
pub fn tls_word(word: &str) -> Result<TlsWish, Fault> {
    let plain = word.to_ascii_lowercase().replace(['_', '-', ' '], "");
    Ok(match plain.as_str() {
        "disable" | "disabled" | "allow" | "prefer" | "preferred" | "false" | "0" | "no"
        | "off" => TlsWish::Plain,
        "require" | "required" | "noverify" | "skipverify" => TlsWish::Encrypted,
        "verifyca" => TlsWish::Issuer,
        "verifyfull" | "verifyidentity" | "true" | "1" | "yes" | "on" | "strict" => TlsWish::Full,
        json if json.starts_with('{') && json.contains("\"rejectunauthorized\":false") => {
            TlsWish::Encrypted
        }
        json if json.starts_with('{') => TlsWish::Full,
        _ => return Err(Fault::TlsWord("sslmode")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Parameters {
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Parameters::read(&pairs).unwrap()
    }

    #[test]
    fn the_words_for_tls_of_all_tools_are_read() {
        use TlsWish::{Encrypted, Full, Issuer, Plain};
        for (name, value, wish) in [
            ("sslmode", "disable", Some(Plain)),
            ("sslmode", "allow", Some(Plain)),
            ("sslmode", "prefer", Some(Plain)),
            ("sslmode", "require", Some(Encrypted)),
            ("sslmode", "no-verify", Some(Encrypted)),
            ("sslmode", "verify-ca", Some(Issuer)),
            ("sslmode", "verify-full", Some(Full)),
            ("ssl", "true", Some(Full)),
            ("ssl", "false", Some(Plain)),
            ("ssl-mode", "REQUIRED", Some(Encrypted)),
            ("ssl-mode", "VERIFY_CA", Some(Issuer)),
            ("ssl_mode", "VERIFY_IDENTITY", Some(Full)),
            ("ssl-mode", "DISABLED", Some(Plain)),
            ("useSSL", "true", Some(Full)),
            ("tls", "skip-verify", Some(Encrypted)),
            ("ssl", "{\"rejectUnauthorized\":true}", Some(Full)),
            ("ssl", "{\"rejectUnauthorized\": false}", Some(Encrypted)),
            ("sslaccept", "strict", Some(Full)),
            ("sslaccept", "accept_invalid_certs", Some(Encrypted)),
            ("pgbouncer", "true", None),
        ] {
            assert_eq!(read(&[(name, value)]).tls, wish, "{name}={value}");
        }
        assert_eq!(tls_word("SECRET"), Err(Fault::TlsWord("sslmode")));
        let strict = read(&[("sslaccept", "strict"), ("sslmode", "require")]);
        assert_eq!(strict.tls, Some(Full));
    }

    #[test]
    fn parameters_of_other_tools_change_nothing() {
        for name in [
            "pgbouncer",
            "connection_limit",
            "pool_timeout",
            "channel_binding",
            "supa",
            "connect_timeout",
            "charset",
            "target_session_attrs",
            "application_name",
            "statement_cache_size",
            "prepared_statements",
            "uselibpqcompat",
            "sslnegotiation",
            "workaround",
            "anything",
        ] {
            let read = read(&[(name, "SECRET")]);
            assert!(read.tls.is_none() && read.schema.is_none() && read.host.is_none(), "{name}");
        }
    }

    #[test]
    fn a_schema_and_an_endpoint_are_found() {
        for (name, value, schema, endpoint) in [
            ("schema", "app", Some("app"), None),
            ("currentSchema", "app", Some("app"), None),
            ("options", "-c search_path=app,public", Some("app"), None),
            ("options", "-csearch_path=\"$user\",app", Some("app"), None),
            ("options", "--search_path=app", Some("app"), None),
            ("options", "-c+search_path=app", Some("app"), None),
            ("options[search_path]", "app", Some("app"), None),
            ("options", "endpoint=ep-cool-1", None, Some("ep-cool-1")),
            ("options", "project=ep-cool-1", None, Some("ep-cool-1")),
            ("options", "-c statement_timeout=0", None, None),
        ] {
            let read = read(&[(name, value)]);
            assert_eq!(read.schema.as_deref(), schema, "{value}");
            assert_eq!(read.endpoint.as_deref(), endpoint, "{value}");
        }
    }

    #[test]
    fn a_certificate_without_a_key_is_the_issuers() {
        let prisma = read(&[("sslcert", "ca.pem")]);
        assert_eq!(prisma.files.roots, Some("ca.pem".into()));
        let libpq = read(&[("sslcert", "c.pem"), ("sslkey", "k.pem"), ("sslrootcert", "ca.pem")]);
        assert_eq!(libpq.files.client, Some(("c.pem".into(), "k.pem".into())));
        assert_eq!(libpq.files.roots, Some("ca.pem".into()));
    }
}
