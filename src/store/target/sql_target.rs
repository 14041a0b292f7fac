//! A SQL database: where it is, who connects, and how safe the way there is.

use std::{
    fmt, fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use crate::secret::Secret;

/// A kind of SQL database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL, and what speaks its protocol: Supabase, Neon.
    Postgres,
    /// MySQL or MariaDB.
    MySql,
    /// A SQLite file.
    Sqlite,
}

impl Dialect {
    /// The name in the files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
            Self::Sqlite => "sqlite",
        }
    }
}

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A server, by TCP.
    Host {
        /// Name or address, without brackets.
        name: String,
        /// The port.
        port: u16,
    },
    /// A server on this machine, by a socket: a folder for PostgreSQL, a file for MySQL.
    Socket {
        /// The folder or file.
        path: PathBuf,
        /// The port, which is part of the name of PostgreSQL's socket.
        port: u16,
    },
    /// A file.
    File(PathBuf),
}

impl Place {
    /// Whether no byte leaves this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Host { name, .. } => is_loopback(name),
            Self::Socket { .. } | Self::File(_) => true,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { name, port } if name.contains(':') => write!(f, "[{name}]:{port}"),
            Self::Host { name, port } => write!(f, "{name}:{port}"),
            Self::Socket { path, .. } | Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Whether a host is this machine itself.
pub fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// What is asked of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// On this machine, because the URL says so: plain text.
    Plain,
    /// On this machine: TLS where the server offers it, and no certificate is checked.
    Free,
    /// TLS; the certificate is not checked, because the URL says so.
    Unchecked,
    /// TLS; the certificate's issuer is checked, not its name.
    Issuer,
    /// TLS; issuer and name are checked.
    Full,
}

/// The files of a TLS connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates of issuers, besides the public ones.
    pub roots: Option<PathBuf>,
    /// The client's certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// A SQL database. `Debug` does not show the password.
#[derive(Clone, Debug)]
pub struct SqlTarget {
    /// Its kind.
    pub dialect: Dialect,
    /// Where it is.
    pub place: Place,
    /// Who connects; empty for a file.
    pub user: String,
    /// The password, where there is one.
    pub password: Option<Secret>,
    /// The database; empty for a file.
    pub database: String,
    /// The schema in which the table is looked for first.
    pub schema: Option<String>,
    /// What is asked of the connection.
    pub tls: Tls,
    /// The files of the connection.
    pub tls_files: TlsFiles,
    /// Neon's name of the server, for what cannot tell it otherwise. Sent as `options`.
    pub endpoint: Option<String>,
}

impl SqlTarget {
    /// A SQLite file.
    pub fn sqlite(file: &Path) -> Self {
        Self {
            dialect: Dialect::Sqlite,
            place: Place::File(file.to_owned()),
            user: String::new(),
            password: None,
            database: String::new(),
            schema: None,
            tls: Tls::Free,
            tls_files: TlsFiles::default(),
            endpoint: None,
        }
    }

    /// The host and port, the socket, or the file.
    pub fn host_shown(&self) -> String {
        self.place.to_string()
    }

    /// The database, or the file.
    pub fn database(&self) -> String {
        match &self.place {
            Place::File(path) => path.display().to_string(),
            _ => self.database.clone(),
        }
    }

    /// Who connects; empty for a file.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The host's name, where the database is on another machine.
    pub fn remote_host(&self) -> Option<&str> {
        match &self.place {
            Place::Host { name, .. } if !is_loopback(name) => Some(name),
            _ => None,
        }
    }

    /// What is to be said in the plan about the way to the database.
    pub fn tls_note(&self) -> Option<&'static str> {
        match self.tls {
            Tls::Plain | Tls::Free | Tls::Full => None,
            Tls::Unchecked => Some("certificate not checked"),
            Tls::Issuer => Some("name in the certificate not checked"),
        }
    }

    /// Reads the file of issuers; without one, none.
    pub fn roots(&self) -> io::Result<Vec<u8>> {
        self.tls_files.roots.as_ref().map_or_else(|| Ok(Vec::new()), fs::read)
    }

    /// Reads the client's certificate and its key, where there are such.
    pub fn client_files(&self) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
        let read = |(certificate, key)| Ok((fs::read(certificate)?, fs::read(key)?));
        self.tls_files
            .client
            .as_ref()
            .map(|(certificate, key)| (certificate, key))
            .map(read)
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for (host, expected) in [
            ("localhost", true),
            ("LOCALHOST", true),
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("localhost.example.com", false),
            ("127.0.0.1.nip.io", false),
            ("10.0.0.1", false),
            ("db.example.com", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(host), expected, "{host}");
        }
    }
}
