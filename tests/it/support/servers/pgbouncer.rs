//! PgBouncer in transaction mode, as Supabase and many a host have it in front of PostgreSQL.

use std::{
    fs,
    net::TcpStream,
    sync::{Arc, OnceLock},
};

use super::{
    Database, OWNER, PASSWORD, PASSWORD_IN_URL, Postgres,
    find::{free_port, programs},
    supervised::Supervised,
};

/// A pooler with one connection to each database, so that the next client gets the last one's. It
/// knows no prepared statements and refuses start-up parameters.
pub(crate) struct PgBouncer {
    _process: Supervised,
    port: u16,
}

impl PgBouncer {
    /// The pooler of all tests, in front of [`Postgres::shared`].
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: OnceLock<Option<Arc<PgBouncer>>> = OnceLock::new();
        SHARED.get_or_init(Self::new).clone()
    }

    fn new() -> Option<Arc<Self>> {
        let [pgbouncer] = programs(["pgbouncer"])?;
        let postgres = Postgres::shared()?;
        let port = free_port();
        let process = Supervised::new("KILL", |folder| {
            vec![pgbouncer.into_os_string(), folder.join("pgbouncer.ini").into_os_string()]
        });
        let folder = process.folder();
        let settings = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir = {folder}\nauth_type = scram-sha-256\n\
             auth_file = {folder}/users\npool_mode = transaction\ndefault_pool_size = 1\n",
            postgres.socket_folder().display(),
            postgres.port(),
            folder = folder.display(),
        );
        fs::write(folder.join("pgbouncer.ini"), settings).unwrap();
        fs::write(folder.join("users"), format!("\"{OWNER}\" \"{PASSWORD}\"\n")).unwrap();
        process.start(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(Arc::new(Self { _process: process, port }))
    }

    /// The URL of a database of the shared server, through the pooler.
    pub(crate) fn url(&self, database: &Database) -> String {
        let (port, name) = (self.port, database.name());
        format!("postgresql://{OWNER}:{PASSWORD_IN_URL}@127.0.0.1:{port}/{name}")
    }
}
