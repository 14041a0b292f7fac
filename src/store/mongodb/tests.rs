//! With a server: `SecantusDB`, which speaks `MongoDB`'s protocol. A real mongod was not at hand.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use ::mongodb::{
    Client,
    bson::{Bson, DateTime, Document, doc},
};
use serde_json::json;

use super::{shape::Shape, *};
use crate::{
    event::StoreOutcome::{Already, Ambiguous, Inserted, Missing, Newer, NotOurs, Replaced},
    exit::Exit,
    journal::{disk::Disk, folder::RunFolder},
    store::{backup::Backup, fault::StoreFault, pair::Pair, written::Written},
};

const APP: &str = "5a0dbc0de5a0dbc0de5a0dbc";
const EXPIRES: i64 = 1_800_000_000_000;

/// The sessions, with the file for old documents.
struct Writer {
    mongo: Mongo,
    backup: Backup,
}

impl Writer {
    async fn write(&mut self, pairs: &[Pair]) -> Result<Vec<Written>, StoreFault> {
        self.mongo.write(pairs, &mut self.backup).await
    }
}

/// A server in a folder of its own, and a run folder.
struct Server {
    child: Child,
    url: String,
    client: Client,
    place: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// `None` where no server is installed; CI has one.
    async fn start() -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let program = std::env::var("SECANTUSD").unwrap_or_else(|_| "secantusd-py".to_owned());
        let started = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--storage-path"])
            .arg(place.path().join("data"))
            .current_dir(place.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = started else {
            assert!(std::env::var_os("CI").is_none(), "secantusd-py is not installed");
            #[expect(clippy::print_stderr, reason = "who runs the tests is to know")]
            {
                eprintln!(
                    "skipped: secantusd-py is not installed (pip install secantusdb==0.7.0b3)"
                );
            }
            return None;
        };
        let url = format!("mongodb://127.0.0.1:{port}/app?directConnection=true");
        let client = Client::with_uri_str(&url).await.unwrap();
        let server = Self { child, url, client, place };
        for _ in 0..20 {
            if server.client.list_database_names().await.is_ok() {
                return Some(server);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("secantusd-py does not start");
    }

    fn collection(&self) -> Collection<Document> {
        self.client.database("app").collection(target::COLLECTION)
    }

    async fn sessions(&self) -> Sessions {
        let url = Secret::new(self.url.clone());
        Sessions::open(&url, None, Duration::from_secs(5)).await.unwrap()
    }

    async fn writer(&self, pairs: &[Pair], absent: Absent) -> Writer {
        std::fs::write(self.place.path().join("journal.jsonl"), "").unwrap();
        let folder = RunFolder::open(self.place.path(), Disk::default()).unwrap();
        let sessions = self.sessions().await;
        let found = sessions.look(pairs).await.unwrap();
        let backup = Backup::open(&folder).unwrap();
        Writer { mongo: Mongo::begin(sessions, &found, absent), backup }
    }

    async fn documents(&self) -> Vec<Document> {
        use futures::TryStreamExt;
        self.collection().find(doc! {}).await.unwrap().try_collect().await.unwrap()
    }
}

fn id(row: u32) -> String {
    format!("loc{row:017}")
}

fn pair(row: u32) -> Pair {
    let line = json!({
        "applicationId": APP, "resourceId": id(row),
        "access_token": format!("access-{row}"), "refresh_token": format!("refresh-{row}"),
        "token_type": "Bearer", "expires_in": 86399, "expire_at": EXPIRES,
        "scope": "contacts.readonly", "userType": "Location", "companyId": "tDtDnQdgm2LXpyiqYvZ6",
        "locationId": id(row), "userId": "usr00000000000000001", "planId": "new",
    });
    Pair::read(line.to_string().as_bytes(), row, &format!("{APP}-m1sandbx")).unwrap()
}

fn pairs(count: u32) -> Vec<Pair> {
    (1..=count).map(pair).collect()
}

fn outcomes(written: &[Written]) -> Vec<crate::event::StoreOutcome> {
    written.iter().map(|written| written.outcome).collect()
}

fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get_str(name).unwrap_or_default()
}

/// A dead session as the SDK for Node has written it.
fn node(row: u32) -> Document {
    let then = DateTime::from_millis(1_700_000_000_000);
    doc! {
        "applicationId": APP, "resourceId": id(row), "access_token": format!("old-a-{row}"),
        "refresh_token": format!("old-r-{row}"), "token_type": "Bearer", "expires_in": 86399,
        "scope": "contacts.readonly", "userType": "Location", "companyId": "tDtDnQdgm2LXpyiqYvZ6",
        "locationId": id(row), "expire_at": 1_700_000_000_000.0, "createdAt": then,
        "updatedAt": then, "note": "mine",
    }
}

#[tokio::test]
async fn a_session_of_each_sdk_is_swapped_in_its_own_shape() {
    let Some(server) = Server::start().await else { return };
    let then = DateTime::from_millis(1_700_000_000_000);
    let python = doc! {
        "application_id": APP, "resource_id": id(1), "access_token": "old", "refresh_token": "old",
        "userType": "Location", "expires_in": 86399, "expire_at": 1_700_000_000_000_i64,
        "created_at": then, "updated_at": then, "planId": "old",
    };
    let php = doc! {
        "applicationId": APP, "resourceId": id(1), "access_token": "old", "refresh_token": "old",
        "user_type": "location", "location_id": id(1), "expires_in": 86399_i64,
        "expire_at": 1_700_000_000_i32, "createdAt": then, "updatedAt": then,
    };
    for (old, shape) in [(node(1), Shape::Node), (python, Shape::Python), (php, Shape::Php)] {
        server.collection().drop().await.unwrap();
        server.collection().insert_one(old.clone()).await.unwrap();
        let found = server.sessions().await.look(&pairs(1)).await.unwrap();
        assert_eq!((found.shape, found.installations, found.repeated), (shape, 1, 0));
        let mut writer = server.writer(&pairs(1), Absent::Leave).await;
        assert_eq!(outcomes(&writer.write(&pairs(1)).await.unwrap()), [Replaced], "{shape:?}");
        let names = shape.names();
        let documents = server.documents().await;
        let new = documents.iter().find(|d| text(d, names.resource) == id(1)).unwrap();
        assert_eq!(text(new, "access_token"), "access-1");
        assert_eq!(text(new, "refresh_token"), "refresh-1");
        assert_eq!(text(new, names.location), id(1));
        let expiry = match shape {
            Shape::Node => Bson::Double(1.8e12),
            Shape::Python => Bson::Int64(EXPIRES),
            Shape::Php => Bson::Int32(1_800_000_000),
        };
        assert_eq!(new.get("expire_at"), Some(&expiry));
        assert_eq!(new.get(names.created), Some(&Bson::DateTime(then)));
        assert!(new.get_datetime(names.updated).unwrap() > &then);
        // Nothing is added that the SDK does not write, and nothing is lost.
        assert_eq!(new.get("note"), old.get("note"));
        assert_eq!(new.get("planId").is_some(), shape == Shape::Python);
        let kind = old.get(names.user_type);
        assert_eq!(new.get(names.user_type), kind, "its spelling stays");
        assert_eq!(outcomes(&writer.write(&pairs(1)).await.unwrap()), [Already]);
    }
}

#[tokio::test]
async fn what_must_not_be_written_is_not_written() {
    let Some(server) = Server::start().await else { return };
    let with = |row, name: &str, value: Bson| {
        let mut document = node(row);
        document.insert(name, value);
        document
    };
    let documents = [
        node(1),
        with(2, "expire_at", Bson::Double(1.9e12)),
        with(3, "access_token", "pit-0b9f7a52-6f5e-4a8e-9f3e-1c2b3a4d5e6f".into()),
        with(4, "userType", "Company".into()),
        node(5),
        node(5),
        with(6, "applicationId", "another".into()),
    ];
    server.collection().insert_many(&documents).await.unwrap();
    let mut writer = server.writer(&pairs(6), Absent::Leave).await;
    let written = writer.write(&pairs(6)).await.unwrap();
    assert_eq!(outcomes(&written), [Replaced, Newer, NotOurs, NotOurs, Ambiguous, Missing]);
    let after = server.documents().await;
    for (old, new) in documents.iter().zip(&after).skip(1) {
        let mut new = new.clone();
        new.remove("_id");
        assert_eq!(*old, new);
    }
    let backup = std::fs::read_to_string(server.place.path().join("replaced.jsonl")).unwrap();
    assert_eq!(backup.lines().count(), 1);
    let line: serde_json::Value = serde_json::from_str(&backup).unwrap();
    assert_eq!(line["old"]["access_token"], "old-a-1");
    assert_eq!(line["old"]["expire_at"]["$numberDouble"], "1700000000000");
    assert_eq!(line["key"]["resourceId"], id(1));
}

#[tokio::test]
async fn a_lost_collection_is_filled_only_when_told() {
    let Some(server) = Server::start().await else { return };
    let fault = server.sessions().await.look(&pairs(1)).await.unwrap_err();
    assert_eq!(fault.exit(), Exit::Usage);
    assert!(fault.to_string().contains("shape cannot be told"), "{fault}");
    server.collection().insert_one(node(900)).await.unwrap();
    let mut writer = server.writer(&pairs(2), Absent::Leave).await;
    assert_eq!(outcomes(&writer.write(&pairs(2)).await.unwrap()), [Missing, Missing]);
    let mut writer = server.writer(&pairs(2), Absent::Insert).await;
    assert_eq!(outcomes(&writer.write(&pairs(2)).await.unwrap()), [Inserted, Inserted]);
    let all = server.documents().await;
    let new = all.iter().find(|d| text(d, "resourceId") == id(2)).unwrap();
    assert_eq!(text(new, "planId"), "new");
    assert_eq!(new.get("expire_at"), Some(&Bson::Double(1.8e12)));
    assert!(new.get_datetime("createdAt").is_ok());
    assert_eq!(outcomes(&writer.write(&pairs(2)).await.unwrap()), [Already, Already]);
}

#[tokio::test]
async fn what_cannot_be_written_to_is_refused_with_what_to_do() {
    let Some(server) = Server::start().await else { return };
    let look = || async { server.sessions().await.look(&pairs(3)).await.unwrap_err().to_string() };
    server.client.database("app").collection("tokens").insert_one(node(1)).await.unwrap();
    let fault = look().await;
    assert!(fault.contains("there is tokens: name one with --table"), "{fault}");
    let mut other = node(1);
    other.insert("applicationId", "66c1a6f5e4b0a1b2c3d4e5f6");
    server.collection().insert_one(other).await.unwrap();
    let fault = look().await;
    assert!(fault.contains("another app alone (66c1a6f5e4b0a1b2c3d4e5f6)"), "{fault}");
    let mut encrypted = node(2);
    encrypted.insert("access_token", "enc:AAAA");
    server.collection().insert_one(encrypted).await.unwrap();
    let fault = look().await;
    assert!(fault.contains("encrypted tokens"), "{fault}");
}

#[tokio::test]
async fn a_refresher_that_races_is_never_overwritten() {
    let Some(server) = Server::start().await else { return };
    let (count, newer) = (300, 1.9e12);
    server.collection().insert_many((1..=count).map(node)).await.unwrap();
    let pairs = pairs(count);
    let mut writer = server.writer(&pairs, Absent::Leave).await;
    let collection = server.collection();
    let refresher = tokio::spawn(async move {
        for row in (1..=count).rev().step_by(3) {
            let set = doc! {"access_token": format!("newer-{row}"),
            "refresh_token": format!("newer-{row}"), "expire_at": newer};
            let update = doc! {"$set": set};
            collection.update_one(doc! {"resourceId": id(row)}, update).await.unwrap();
        }
    });
    let written = writer.write(&pairs).await.unwrap();
    refresher.await.unwrap();
    assert!(written.iter().all(|w| matches!(w.outcome, Replaced | Newer)), "{written:?}");
    for document in server.documents().await {
        let access = document.get_str("access_token").unwrap();
        let refresh = document.get_str("refresh_token").unwrap();
        let row: u32 = document.get_str("resourceId").unwrap()[3..].parse().unwrap();
        let has_newer = (count - row).is_multiple_of(3);
        let expected = if has_newer { format!("newer-{row}") } else { format!("access-{row}") };
        assert_eq!(access, expected);
        assert_eq!(refresh.starts_with("newer"), has_newer);
    }
}

#[tokio::test]
async fn a_server_that_is_gone_stops_the_store() {
    let Some(server) = Server::start().await else { return };
    server.collection().insert_many([node(1), node(2)]).await.unwrap();
    let mut writer = server.writer(&pairs(2), Absent::Leave).await;
    assert_eq!(outcomes(&writer.write(&pairs(1)).await.unwrap()), [Replaced]);
    drop(server);
    let fault = writer.write(&pairs(2)).await.unwrap_err();
    assert_eq!(fault.exit(), Exit::Halted);
    assert!(fault.to_string().contains("run `store` again"), "{fault}");
}
