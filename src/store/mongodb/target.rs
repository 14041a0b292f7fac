//! Where the database is, and how the way to it is protected.

use std::{net::IpAddr, time::Duration};

use ::mongodb::{
    error::ErrorKind,
    options::{
        ClientOptions, ReadConcern, SelectionCriteria, ServerAddress, Tls, TlsOptions, WriteConcern,
    },
};

use crate::{secret::Secret, store::fault::StoreFault, text::SafeText};

/// The collection of the SDKs.
pub const COLLECTION: &str = "application_sessions";

/// How long a server is looked for at a time.
const SELECTION: Duration = Duration::from_secs(10);

/// What a URL says.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) options: ClientOptions,
    pub(super) place: Place,
}

/// What may be shown of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The first host.
    pub host: SafeText,
    /// The database.
    pub database: SafeText,
    /// The collection.
    pub collection: SafeText,
    /// Whether anybody can answer in the server's stead.
    pub is_unchecked: bool,
}

/// Reads a URL. Its sentences are ours: those of the driver may repeat it.
pub(super) async fn read(url: &Secret, table: Option<&str>) -> Result<Target, StoreFault> {
    let usage = |message: &str| StoreFault::Usage(message.to_owned());
    let parsed = ClientOptions::parse(url.expose()).await;
    let mut options = parsed.map_err(|error| match error.kind.as_ref() {
        ErrorKind::DnsResolve { .. } => StoreFault::Gone(
            "the host of the MongoDB URL is not found in DNS: check it, and that this machine reaches \
             a name server"
                .to_owned(),
        ),
        _ => usage(
            "the MongoDB URL cannot be read: in the name and the password write % as %25, @ as %40, \
             : as %3A, / as %2F, ? as %3F and # as %23, and leave out options that MongoDB's own \
             drivers do not know",
        ),
    })?;
    let Some(database) = options.default_database.clone() else {
        return Err(usage(
            "the MongoDB URL names no database: write it after the host, as in \
             mongodb+srv://host/DATABASE",
        ));
    };
    let is_unchecked = protect(&mut options)?;
    options.app_name.get_or_insert_with(|| "ghl-reconnect".to_owned());
    options.server_selection_timeout.get_or_insert(SELECTION);
    options.retry_writes = Some(true);
    // A pair counts as stored only when no failover can take it back, and is read where it is written.
    let mut concern = WriteConcern::majority();
    concern.w_timeout = Some(Duration::from_secs(30));
    options.write_concern = Some(concern);
    options.read_concern = Some(ReadConcern::local());
    options.selection_criteria =
        Some(SelectionCriteria::ReadPreference(::mongodb::options::ReadPreference::Primary));
    let host = options.hosts.first().map(ToString::to_string).unwrap_or_default();
    let place = Place {
        host: SafeText::new(&host),
        database: SafeText::new(&database),
        collection: SafeText::new(table.unwrap_or(COLLECTION)),
        is_unchecked,
    };
    Ok(Target { options, place })
}

/// Has TLS everywhere but on this machine, and says whether the certificate stays unchecked.
fn protect(options: &mut ClientOptions) -> Result<bool, StoreFault> {
    let is_far = options.hosts.iter().any(|host| !is_here(host));
    match &options.tls {
        Some(Tls::Disabled) if is_far => Err(StoreFault::Usage(
            "the MongoDB URL switches TLS off, and the tokens would cross the network in plain text: \
             leave tls=false out, or use a tunnel to this machine"
                .to_owned(),
        )),
        None if is_far => {
            options.tls = Some(Tls::Enabled(TlsOptions::default()));
            Ok(false)
        }
        Some(Tls::Enabled(tls)) => Ok(tls.allow_invalid_certificates == Some(true)),
        Some(Tls::Disabled) | None => Ok(false),
    }
}

fn is_here(host: &ServerAddress) -> bool {
    match host {
        ServerAddress::Tcp { host, .. } => {
            host.eq_ignore_ascii_case("localhost")
                || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
        // A socket.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_url(url: &str) -> Result<Target, StoreFault> {
        read(&Secret::new(url.to_owned()), None).await
    }

    #[tokio::test]
    async fn tls_is_used_everywhere_but_on_this_machine() {
        for (url, has_tls, is_unchecked) in [
            ("mongodb://127.0.0.1/app", false, false),
            ("mongodb://localhost:27018/app?tls=false", false, false),
            ("mongodb://db.example.com/app", true, false),
            ("mongodb://127.0.0.1,db.example.com/app", true, false),
            ("mongodb://db.example.com/app?tls=true&tlsInsecure=true", true, true),
        ] {
            let target = read_url(url).await.unwrap();
            assert_eq!(matches!(target.options.tls, Some(Tls::Enabled(_))), has_tls, "{url}");
            assert_eq!(target.place.is_unchecked, is_unchecked, "{url}");
        }
    }

    #[tokio::test]
    async fn a_url_is_refused_without_being_repeated() {
        for (url, expected) in [
            ("mongodb://db.example.com/app?tls=false", "plain text"),
            ("mongodb://127.0.0.1", "no database"),
            ("mongodb://me:hunt#er2@127.0.0.1/app", "%23"),
            ("mongodb://127.0.0.1/app?hunter2=hunter2", "leave out options"),
            ("postgres://127.0.0.1/app", "cannot be read"),
        ] {
            let fault = read_url(url).await.unwrap_err().to_string();
            assert!(fault.contains(expected) && !fault.contains("hunt"), "{url}: {fault}");
        }
    }
}
