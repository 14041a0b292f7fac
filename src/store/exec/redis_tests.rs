//! The helper for Redis in `scripts/deploy/`, with a real server.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{tests::pairs, *};
use crate::event::StoreOutcome::{Already, Failed, Inserted, Missing, Newer, Replaced};

/// A server in a folder of its own.
struct Server {
    child: Child,
    port: u16,
    place: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `None` where no server is installed; CI has one.
fn server() -> Option<Server> {
    let place = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let started = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--requirepass", "open:sesame/1", "--save", ""])
        .args(["--appendonly", "no", "--port", &port.to_string()])
        .arg("--dir")
        .arg(place.path())
        .stdout(Stdio::null())
        .spawn();
    let Ok(child) = started else {
        assert!(std::env::var_os("CI").is_none(), "redis-server is not installed");
        #[expect(clippy::print_stderr, reason = "who runs the tests is to know")]
        {
            eprintln!("skipped: redis-server is not installed");
        }
        return None;
    };
    let server = Server { child, port, place };
    for _ in 0..100 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some(server);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("redis-server does not start");
}

impl Server {
    /// Runs commands, one a line, and returns the raw answers.
    fn run(&self, commands: &str) -> String {
        let mut link = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        link.write_all(format!("AUTH open:sesame/1\r\n{commands}\r\nQUIT\r\n").as_bytes()).unwrap();
        let mut answers = String::new();
        link.read_to_string(&mut answers).unwrap();
        answers
    }

    fn helper(&self, arguments: &str) -> Exec {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/deploy/redis-store.py");
        let url = format!("redis://:open%3Asesame%2F1@127.0.0.1:{}/0", self.port);
        let wrapper = self.place.path().join("helper.sh");
        let text = format!("REDIS_URL={url} exec '{}' {arguments}", script.display());
        std::fs::write(&wrapper, text).unwrap();
        Exec::start(&format!("sh '{}'", wrapper.display())).unwrap()
    }
}

fn key(pair: &Pair) -> String {
    format!("ghl:location:{}", pair.installation.id)
}

#[tokio::test]
async fn the_helper_for_redis_swaps_and_leaves_newer_ones_alone() {
    let Some(server) = server() else { return };
    let pairs = pairs(5);
    let (older, newer) = (1_700_000_000_000_u64, 1_900_000_000_000_u64);
    let keys: Vec<String> = pairs.iter().map(key).collect();
    server.run(&format!(
        "HSET {} access_token old refresh_token old expires_at {older} name Acme\r\n\
         HSET {} access_token new refresh_token new expires_at {newer}\r\n\
         SET {} text\r\n\
         HSET {} access_token old refresh_token old expires_at 2026-11-22T10:00:00Z",
        keys[0], keys[1], keys[3], keys[4]
    ));
    let mut exec = server.helper("");
    let written = exec.write(&pairs).await.unwrap();
    let outcomes: Vec<_> = written.iter().map(|written| written.outcome).collect();
    assert_eq!(outcomes, [Replaced, Newer, Missing, Failed, Failed]);
    assert!(written[3].message.as_str().contains("WRONGTYPE"), "{}", written[3].message);
    assert!(written[4].message.as_str().contains("epoch in ms"), "{}", written[4].message);
    assert_eq!(exec.write(&pairs[..1]).await.unwrap()[0].outcome, Already);
    exec.end().await.unwrap();
    let seen = server.run(&format!("HGETALL {}\r\nHGET {} access_token", keys[0], keys[1]));
    for part in ["access-token-1", "refresh-token-1", "1800000000000", "Acme", "new"] {
        assert!(seen.contains(&format!("\r\n{part}\r\n")), "{seen}");
    }
}

#[tokio::test]
async fn the_helper_for_redis_makes_new_hashes_only_when_told() {
    let Some(server) = server() else { return };
    let mut exec = server.helper("--insert");
    let written = exec.write(&pairs(3)).await.unwrap();
    assert!(written.iter().all(|written| written.outcome == Inserted), "{written:?}");
    exec.end().await.unwrap();
    assert!(server.run("DBSIZE").contains(":3\r\n"));
}

#[tokio::test]
async fn a_redis_that_is_gone_stops_the_store_without_its_password() {
    let Some(server) = server() else { return };
    let mut exec = server.helper("--insert");
    exec.write(&pairs(1)).await.unwrap();
    drop(server);
    let fault = exec.write(&pairs(2)[1..]).await.unwrap_err().to_string();
    assert!(fault.contains("Redis: ") && !fault.contains("sesame"), "{fault}");
}
