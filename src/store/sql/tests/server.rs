//! Real servers in a temporary folder, where they are installed.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// A server, ended when it is dropped.
pub struct Server {
    child: Child,
    pub folder: TempDir,
    pub port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// PostgreSQL with TLS by a CA of its own; `None` where it is not installed.
    pub fn postgres() -> Option<Self> {
        let programs = newest("/usr/lib/postgresql")?.join("bin");
        let (folder, port) = (folder(), free_port());
        certificates(folder.path());
        fs::write(folder.path().join("password"), "hunter2").unwrap();
        give_to("postgres", folder.path());
        let data = folder.path().join("data");
        let mut init = command_as("postgres", &programs.join("initdb"));
        init.args(["--no-sync", "-U", "postgres", "--auth=scram-sha-256", "-E", "UTF8", "-D"]);
        init.arg(&data).arg("--pwfile").arg(folder.path().join("password"));
        assert!(init.stdout(Stdio::null()).status().unwrap().success());
        let mut server = command_as("postgres", &programs.join("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(folder.path()).args(["-p", &port.to_string()]);
        for setting in ["fsync=off", "listen_addresses=127.0.0.1", "ssl=on"] {
            server.args(["-c", setting]);
        }
        let file = |name: &str| folder.path().join(name).display().to_string();
        server.args(["-c", &format!("ssl_cert_file={}", file("server.crt"))]);
        server.args(["-c", &format!("ssl_key_file={}", file("server.key"))]);
        let child = server.stderr(Stdio::null()).spawn().unwrap();
        Some(Self { child, folder, port }.awaited())
    }

    /// pgbouncer in transaction mode before a PostgreSQL, with one server connection for all.
    pub fn pgbouncer(before: &Self) -> Option<Self> {
        let program = Path::new("/usr/sbin/pgbouncer");
        if !program.exists() {
            return None;
        }
        let (folder, port) = (folder(), free_port());
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres password=hunter2\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = plain\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 1\n",
            before.port,
            folder.path().join("users").display()
        );
        fs::write(folder.path().join("users"), "\"postgres\" \"hunter2\"\n").unwrap();
        fs::write(folder.path().join("pgbouncer.ini"), settings).unwrap();
        give_to("postgres", folder.path());
        let mut server = command_as("postgres", program);
        server.arg("-q").arg(folder.path().join("pgbouncer.ini")).stderr(Stdio::null());
        let child = server.spawn().unwrap();
        Some(Self { child, folder, port }.awaited())
    }

    /// MariaDB; `None` where it is not installed.
    pub fn mariadb() -> Option<Self> {
        let program = Path::new("/usr/sbin/mariadbd");
        if !program.exists() {
            return None;
        }
        let (folder, port) = (folder(), free_port());
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        certificates(folder.path());
        give_to("mysql", folder.path());
        let mut init = command_as("mysql", Path::new("/usr/bin/mariadb-install-db"));
        init.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
        init.arg("--skip-test-db").arg(format!("--datadir={}", data.display()));
        assert!(init.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
        fs::write(
            folder.path().join("init.sql"),
            "CREATE DATABASE app;\nCREATE USER app@'127.0.0.1' IDENTIFIED BY 'hunter2';\n\
             GRANT ALL ON app.* TO app@'127.0.0.1';\n",
        )
        .unwrap();
        let mut server = command_as("mysql", program);
        let at = |name: &str| folder.path().join(name).display().to_string();
        server.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"]);
        server.args([
            &format!("--datadir={}", data.display()),
            &format!("--socket={}", at("socket")),
            &format!("--port={port}"),
            &format!("--init-file={}", at("init.sql")),
            &format!("--pid-file={}", at("pid")),
            &format!("--ssl-cert={}", at("server.crt")),
            &format!("--ssl-key={}", at("server.key")),
            "--sql-mode=",
        ]);
        let child = server.stderr(Stdio::null()).spawn().unwrap();
        Some(Self { child, folder, port }.awaited())
    }

    fn awaited(self) -> Self {
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(start.elapsed() < Duration::from_mins(2), "the server does not start");
            thread::sleep(Duration::from_millis(50));
        }
        self
    }
}

fn newest(folder: &str) -> Option<PathBuf> {
    fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).max()
}

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("store").tempdir_in("/tmp").unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}

fn give_to(user: &str, folder: &Path) {
    if is_root() {
        assert!(Command::new("chown").arg("-R").arg(user).arg(folder).status().unwrap().success());
    }
}

/// A command as an ordinary user: servers refuse root.
fn command_as(user: &str, program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]);
    command.arg(program);
    command
}

/// `ca.crt`, and `server.crt` by it for `localhost` alone.
fn certificates(folder: &Path) {
    let script = "set -e; \
        openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=test-ca -days 2 \
            -keyout ca.key -out ca.crt; \
        openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key \
            -out server.csr; \
        printf 'subjectAltName=DNS:localhost\\nbasicConstraints=CA:FALSE\\n' > ext; \
        openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
            -extfile ext -out server.crt; \
        openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=other-ca -days 2 \
            -keyout other.key -out other.crt; \
        chmod 600 server.key";
    let done = Command::new("sh").args(["-c", script]).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
