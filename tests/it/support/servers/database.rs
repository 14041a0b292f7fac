//! A database of one test, asked with the command-line programs of its kind.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use super::{MariaDb, OWNER, PASSWORD_IN_URL, Postgres, Table, find::programs, session::Session};
use crate::support::finish;

/// A database, dropped afterwards.
pub(crate) struct Database {
    client: Client,
    name: String,
}

pub(super) enum Client {
    Postgres(Arc<Postgres>),
    MariaDb(Arc<MariaDb>),
    Sqlite(PathBuf),
}

impl Database {
    pub(super) fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// A database in this file, which need not be there yet.
    pub(crate) fn sqlite(file: PathBuf) -> Option<Self> {
        let _ = programs(["sqlite3"])?;
        let name = file.file_name()?.to_string_lossy().into_owned();
        Some(Self::new(Client::Sqlite(file), name))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where `--to` finds it, as [`OWNER`]: a URL with the password, or a path.
    pub(crate) fn url(&self) -> String {
        self.url_of(OWNER)
    }

    /// The same for another user.
    pub(crate) fn url_of(&self, user: &str) -> String {
        let (scheme, port) = match &self.client {
            Client::Postgres(server) => ("postgresql", server.port()),
            Client::MariaDb(server) => ("mysql", server.port()),
            Client::Sqlite(file) => return file.display().to_string(),
        };
        format!("{scheme}://{user}:{PASSWORD_IN_URL}@127.0.0.1:{port}/{}", self.name)
    }

    /// Runs statements, all of which have to succeed, and gives what they answer: a row a line.
    #[track_caller]
    pub(crate) fn sql(&self, statements: &str) -> String {
        let mut statements = statements.to_owned();
        if let Client::Postgres(_) = self.client {
            // Tables are the app's, whoever makes them.
            statements.insert_str(0, &format!("set role {OWNER};\n"));
        }
        ask(self.command(), &statements)
    }

    /// The same as a superuser.
    #[track_caller]
    pub(crate) fn sql_as_admin(&self, statements: &str) -> String {
        ask(self.command(), statements)
    }

    /// Somebody else who has it open: a superuser.
    pub(crate) fn session(&self) -> Session {
        let mut command = self.command();
        if let Client::MariaDb(_) = self.client {
            command.arg("--unbuffered");
        }
        Session::new(command)
    }

    fn command(&self) -> Command {
        match &self.client {
            Client::Postgres(server) => server.psql(&self.name),
            Client::MariaDb(server) => {
                let mut command = server.client(&self.name);
                command.arg("--skip-column-names");
                command
            }
            Client::Sqlite(file) => sqlite(file),
        }
    }

    /// Another database with the same in it.
    pub(crate) fn copy(&self) -> Self {
        match &self.client {
            Client::Postgres(server) => server.copy_of(&self.name),
            Client::MariaDb(server) => {
                let copy = server.database();
                finish(&mut server.client(&copy.name), server.dump(&self.name));
                copy
            }
            Client::Sqlite(file) => {
                let copy = file.with_extension("copy");
                fs::copy(file, &copy).unwrap();
                Self::sqlite(copy).unwrap()
            }
        }
    }

    /// The names of its tables, in order.
    pub(crate) fn tables(&self) -> Vec<String> {
        let names = match self.client {
            Client::Postgres(_) => {
                "select format('%I.%I', table_schema, table_name) from information_schema.tables \
                 where table_type = 'BASE TABLE' \
                 and table_schema not in ('information_schema', 'pg_catalog') order by 1"
            }
            Client::MariaDb(_) => {
                "select concat('`', table_name, '`') from information_schema.tables \
                 where table_type = 'BASE TABLE' and table_schema = database() order by 1"
            }
            Client::Sqlite(_) => {
                "select '\"' || name || '\"' from sqlite_schema where type = 'table' \
                 and name not like 'sqlite%' order by 1"
            }
        };
        self.sql_as_admin(names).lines().map(Into::into).collect()
    }

    /// Everything that a table holds.
    pub(crate) fn table(&self, name: &str) -> Table {
        match &self.client {
            Client::Postgres(server) => {
                let mut command = server.psql(&self.name);
                command.args(["--csv", "-P", "tuples_only=off", "-P", "null=NULL"]);
                Table::from_csv(&ask(command, &format!("select * from {name};")), b',')
            }
            Client::MariaDb(server) => {
                let answer = ask(server.client(&self.name), &format!("select * from {name};"));
                Table::from_csv(&answer, b'\t')
            }
            Client::Sqlite(file) => {
                // A value says of what type it is: 1, 1.0 and '1' are three.
                let columns = self.sql(&format!(
                    "select group_concat('quote(\"' || name || '\") as \"' || name || '\"') \
                     from pragma_table_xinfo({name});"
                ));
                let mut command = sqlite(file);
                command.args(["-csv", "-header"]);
                let answer = ask(command, &format!("select {columns} from {name};"));
                Table::from_csv(&answer, b',')
            }
        }
    }

    /// Everything that it holds, by the names of the tables.
    pub(crate) fn contents(&self) -> Vec<(String, Table)> {
        let tables = self.tables().into_iter();
        tables.map(|name| (name.clone(), self.table(&name))).collect()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        match &self.client {
            Client::Postgres(server) => {
                server.admin(&format!("drop database {} with (force)", self.name));
            }
            Client::MariaDb(server) => server.admin(&format!("drop database {}", self.name)),
            Client::Sqlite(_) => (),
        }
    }
}

fn sqlite(file: &Path) -> Command {
    let mut command = Command::new("sqlite3");
    command.args(["-bail", "-batch"]).arg(file);
    command
}

#[track_caller]
fn ask(mut command: Command, statements: &str) -> String {
    let output = finish(&mut command, statements.as_bytes().to_vec());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\nin: {statements}");
    String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned()
}
