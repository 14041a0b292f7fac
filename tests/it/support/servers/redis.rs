//! Redis, for the example of a program that stores.

use std::{
    net::TcpStream,
    path::PathBuf,
    process::Command,
    sync::{Arc, OnceLock},
};

use super::{
    find::{free_port, programs, run},
    supervised::Supervised,
};

/// A server without a password that keeps nothing on a disk.
pub(crate) struct Redis {
    _process: Supervised,
    port: u16,
    client: PathBuf,
}

impl Redis {
    /// The server of all tests. `None` if it is not installed here.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: OnceLock<Option<Arc<Redis>>> = OnceLock::new();
        SHARED.get_or_init(Self::new).clone()
    }

    fn new() -> Option<Arc<Self>> {
        let [redis, client] = programs(["redis-server", "redis-cli"])?;
        let port = free_port();
        let process = Supervised::new("KILL", |folder| {
            let words = format!(
                "--port {port} --bind 127.0.0.1 --appendonly no --dir {}",
                folder.display()
            );
            let words = words.split_whitespace().map(Into::into);
            let keep_nothing = ["--save".into(), "".into()];
            [redis.into_os_string()].into_iter().chain(words).chain(keep_nothing).collect()
        });
        process.start(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(Arc::new(Self { _process: process, port, client }))
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// What a command answers.
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        let mut command = Command::new(&self.client);
        let answer = run(command.args(["-p", &self.port.to_string()]).args(words));
        String::from_utf8(answer).unwrap().trim_end().to_owned()
    }
}
