//! A MongoDB: its URL is read by its own driver, and looked at here.

use super::{fault::Fault, sql_target::is_loopback, url::Url};
use crate::secret::Secret;

/// A MongoDB.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(feature = "store-mongodb"),
    expect(dead_code, reason = "a build without MongoDB only names the hosts")
)]
pub struct MongoTarget {
    /// The URL, for the driver alone.
    pub url: Secret,
    /// Hosts and ports.
    pub hosts: String,
}

/// Looks at the URL of a MongoDB. Plain text is for this machine alone.
pub fn mongo(text: &str, url: Url) -> Result<MongoTarget, Fault> {
    if url.hosts.is_empty() {
        return Err(Fault::NoHost);
    }
    let says = |wanted: &str| {
        url.parameters.iter().any(|(name, value)| {
            ["tls", "ssl"].iter().any(|known| name.eq_ignore_ascii_case(known))
                && value.eq_ignore_ascii_case(wanted)
        })
    };
    let is_tls = says("true") || url.scheme == "mongodb+srv" && !says("false");
    if !is_tls && !url.hosts.split(',').all(is_local) {
        return Err(Fault::PlainText);
    }
    Ok(MongoTarget { url: Secret::new(text.to_owned()), hosts: url.hosts })
}

fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    is_loopback(name) || name.starts_with("%2F") || name.starts_with("%2f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_for_this_machine_alone() {
        for (text, fault) in [
            ("mongodb://u:p@localhost:27017/app", None),
            ("mongodb://127.0.0.1,[::1]:27018/app", None),
            ("mongodb+srv://u:p@cluster0.example.com/app", None),
            ("mongodb://u:p@a.example.com,b.example.com/app?tls=true", None),
            ("mongodb://u:p@localhost,b.example.com/app", Some(Fault::PlainText)),
            ("mongodb://u:p@a.example.com/app?ssl=false", Some(Fault::PlainText)),
            ("mongodb+srv://u:p@a.example.com/app?tls=false", Some(Fault::PlainText)),
            ("mongodb:///app", Some(Fault::NoHost)),
        ] {
            assert_eq!(mongo(text, Url::parse(text).unwrap()).err(), fault, "{text}");
        }
        let text = "mongodb://u:hunter2@localhost/app?tls=true&tlsInsecure=true";
        let target = mongo(text, Url::parse(text).unwrap()).unwrap();
        assert!(!format!("{target:?}").contains("hunter2"));
    }
}
