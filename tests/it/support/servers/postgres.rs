//! PostgreSQL.

use std::{
    path::PathBuf,
    process::Command,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use super::{
    Certificates, Database, GUEST, OWNER, PASSWORD,
    database::Client,
    find::{free_port, programs},
    supervised::Supervised,
};
use crate::support::Launch;

/// A server that takes passwords over TCP, with and without TLS, and superusers through its socket.
pub(crate) struct Postgres {
    process: Supervised,
    port: u16,
    psql: PathBuf,
    databases: AtomicU32,
}

impl Postgres {
    /// The server of all tests. `None` if it is not installed here.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: OnceLock<Option<Arc<Postgres>>> = OnceLock::new();
        SHARED.get_or_init(Self::own).clone()
    }

    /// A server of a test's own, which it may kill.
    pub(crate) fn own() -> Option<Arc<Self>> {
        let [initdb, postgres, psql, _] = programs(["initdb", "postgres", "psql", "openssl"])?;
        let port = free_port();
        let process = Supervised::new("QUIT", |folder| {
            let mut words = vec![postgres.into_os_string(), "-D".into()];
            words.extend([folder.join("data").into(), "-k".into(), folder.into()]);
            let tls = Certificates::paths(folder);
            let settings = format!(
                "port={port} listen_addresses=localhost shared_buffers=32MB max_connections=60 \
                 fsync=off full_page_writes=off autovacuum=off dynamic_shared_memory_type=mmap \
                 timezone=UTC deadlock_timeout=200ms ssl=on ssl_cert_file={} ssl_key_file={}",
                tls.certificate.display(),
                tls.key.display(),
            );
            words.extend(settings.split_whitespace().flat_map(|s| ["-c".into(), s.into()]));
            words
        });
        Certificates::make(process.folder());
        let data = process.folder().join("data");
        let words = "-U postgres -A trust --no-sync -E UTF8 --locale=C -D".split(' ');
        let words = words.map(Into::into).chain([data.clone().into_os_string()]);
        process.prepare([initdb.into_os_string()].into_iter().chain(words).collect());
        let access = "local all all trust\nhost all all localhost scram-sha-256\n";
        std::fs::write(data.join("pg_hba.conf"), access).unwrap();
        let server = Self { process, port, psql, databases: AtomicU32::new(0) };
        server.start();
        for user in [OWNER, GUEST] {
            server.admin(&format!("create role {user} login password '{PASSWORD}'"));
        }
        Some(Arc::new(server))
    }

    /// Starts it, also after a kill: with all that was in it.
    pub(crate) fn start(&self) {
        self.process.start(|| {
            let asked = self.psql("postgres").args(["-c", "select 1"]).capture();
            asked.is_ok_and(|asked| asked.status.success())
        });
    }

    pub(crate) fn kill(&self) {
        self.process.kill();
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn certificates(&self) -> Certificates {
        Certificates::paths(self.process.folder())
    }

    pub(super) fn socket_folder(&self) -> &std::path::Path {
        self.process.folder()
    }

    /// A new database, of [`OWNER`].
    pub(crate) fn database(self: &Arc<Self>) -> Database {
        self.copy_of("template0")
    }

    /// A new database with everything that another one has.
    pub(super) fn copy_of(self: &Arc<Self>, template: &str) -> Database {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.admin(&format!("create database {name} template {template} owner {OWNER}"));
        Database::new(Client::Postgres(self.clone()), name)
    }

    #[track_caller]
    pub(super) fn admin(&self, sql: &str) {
        let mut command = self.psql("postgres");
        super::find::run(command.args(["-c", sql]));
    }

    /// `psql` as the superuser.
    pub(super) fn psql(&self, database: &str) -> Command {
        let mut command = Command::new(&self.psql);
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-p"]);
        command.arg(self.port.to_string()).args(["-d", database, "-h"]);
        command.arg(self.process.folder());
        command.env("PGOPTIONS", "-c client_min_messages=warning");
        command
    }
}
