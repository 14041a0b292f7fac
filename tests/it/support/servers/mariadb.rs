//! MariaDB.

use std::{
    fs,
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
    find::{free_port, program, programs, run},
    supervised::Supervised,
};
use crate::support::Launch;

/// A server without a strict mode of its own: it cuts what is too long unless a session forbids it.
pub(crate) struct MariaDb {
    process: Supervised,
    port: u16,
    mariadb: PathBuf,
    databases: AtomicU32,
}

impl MariaDb {
    /// The server of all tests. `None` if it is not installed here.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: OnceLock<Option<Arc<MariaDb>>> = OnceLock::new();
        SHARED.get_or_init(Self::own).clone()
    }

    /// A server of a test's own, which it may kill.
    pub(crate) fn own() -> Option<Arc<Self>> {
        let needed = ["mariadb-install-db", "mariadbd", "mariadb", "mariadb-dump", "openssl"];
        let [install, mariadbd, mariadb, ..] = programs(needed)?;
        let port = free_port();
        let process = Supervised::new("KILL", |folder| {
            let tls = Certificates::paths(folder);
            let settings = format!(
                "--no-defaults --datadir={folder}/data --socket={folder}/socket --port={port} \
                 --pid-file={folder}/pid --bind-address=127.0.0.1 --skip-name-resolve \
                 --sql-mode= --default-time-zone=+00:00 --performance-schema=0 \
                 --innodb-buffer-pool-size=32M --innodb-flush-log-at-trx-commit=2 \
                 --innodb-doublewrite=0 --ssl-ca={} --ssl-cert={} --ssl-key={}",
                tls.ca.display(),
                tls.certificate.display(),
                tls.key.display(),
                folder = folder.display(),
            );
            let words = settings.split_whitespace().map(Into::into);
            [mariadbd.into_os_string()].into_iter().chain(words).collect()
        });
        Certificates::make(process.folder());
        let words = format!(
            "--no-defaults --datadir={}/data --auth-root-authentication-method=normal \
             --skip-test-db --skip-name-resolve",
            process.folder().display()
        );
        let words = words.split_whitespace().map(Into::into);
        process.prepare([install.into_os_string()].into_iter().chain(words).collect());
        let server = Self { process, port, mariadb, databases: AtomicU32::new(0) };
        server.start();
        for user in [OWNER, GUEST] {
            server.admin(&format!("create user '{user}'@'%' identified by '{PASSWORD}'"));
        }
        Some(Arc::new(server))
    }

    /// Starts it, also after a kill: with all that was in it.
    pub(crate) fn start(&self) {
        let _ = fs::remove_file(self.process.folder().join("socket"));
        self.process.start(|| {
            let asked = self.client("mysql").args(["-e", "select 1"]).capture();
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

    /// A new database, of [`OWNER`].
    pub(crate) fn database(self: &Arc<Self>) -> Database {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.admin(&format!("create database {name}; grant all on {name}.* to '{OWNER}'@'%'"));
        Database::new(Client::MariaDb(self.clone()), name)
    }

    /// All of a database as SQL.
    pub(super) fn dump(&self, name: &str) -> Vec<u8> {
        let mut command = Command::new(program("mariadb-dump").unwrap());
        command.args(["--no-defaults", "-u", "root", "--routines", "--socket"]);
        run(command.arg(self.process.folder().join("socket")).arg(name))
    }

    #[track_caller]
    pub(super) fn admin(&self, sql: &str) {
        run(self.client("mysql").args(["-e", sql]));
    }

    /// `mariadb` as root.
    pub(super) fn client(&self, database: &str) -> Command {
        let mut command = Command::new(&self.mariadb);
        command.args(["--no-defaults", "--batch", "--default-character-set=utf8mb4", "-u", "root"]);
        command.arg("--socket").arg(self.process.folder().join("socket"));
        command.args(["-D", database]);
        command
    }
}
