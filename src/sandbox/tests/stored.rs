//! What is known from the start, and the control API that adds to it.

use serde_json::json;

use super::{ACCESS, COMPANY, ID, REFRESH, Server, V2, list, sent};
use crate::installation::Scope;
use crate::sandbox::tests::stored;
use crate::sandbox::{
    AccessLife, CLIENT_ID, InstalledLocation, Options, Presence, RefreshLife, StoredPair,
};

#[test]
fn tokens_and_locations_are_read_from_lines() {
    let line = json!({
        "applicationId": "66c1a6f5e4b0a1b2c3d4e5f6", "resourceId": ID, "access_token": "a.b.c",
        "refresh_token": "r", "token_type": "Bearer", "expires_in": 86_399,
        "expire_at": 1_800_000_000_000_i64, "scope": "contacts.readonly",
        "userType": "Location", "companyId": COMPANY, "locationId": ID, "userId": "u",
    });
    let second = json!({"companyId": COMPANY, "accessToken": "x", "access": "no_scope"});
    let read = StoredPair::from_lines(format!("{line}\n\n{second}\n").as_bytes()).unwrap();
    let [first, second] = &read[..] else { panic!("{}", read.len()) };
    assert_eq!((first.scope, first.id.as_str()), (Scope::Location, ID));
    assert_eq!(first.company.as_deref(), Some(COMPANY));
    assert_eq!(first.client.as_deref(), Some("66c1a6f5e4b0a1b2c3d4e5f6"));
    assert_eq!(first.access, Some(("a.b.c".into(), AccessLife::Alive)));
    assert_eq!(first.refresh, Some(("r".into(), RefreshLife::Good)));
    assert_eq!(first.expires.unwrap().as_second(), 1_800_000_000);
    assert_eq!((second.scope, second.id.as_str()), (Scope::Company, COMPANY));
    assert_eq!(second.access, Some(("x".into(), AccessLife::NoScope)));

    let text = "{\"_id\":\"a\",\"companyId\":\"c\"}\n\
                {\"_id\":\"b\",\"companyId\":\"c\",\"name\":\"N\",\"isInstalled\":false}";
    let expected = [
        InstalledLocation::new("a", "c"),
        InstalledLocation::new("b", "c").named("N").presence(Presence::Absent),
    ];
    assert_eq!(InstalledLocation::from_lines(text.as_bytes()).unwrap(), expected);
}

#[test]
fn a_line_that_cannot_be_read_is_named_without_its_text() {
    for (text, line) in [
        ("{\"refresh_token\":\"secret-text\"}", 1),
        ("\n{\"locationId\":\"abcdef\",\"access\":\"secret-text\"}", 2),
        ("{\"locationId\":\"abcdef\"}\n\"secret-text\"", 2),
    ] {
        let error = StoredPair::from_lines(text.as_bytes()).err().unwrap().to_string();
        assert!(error.starts_with(&format!("line {line}: ")), "{error}");
        assert!(!error.contains("secret-text"), "{error}");
    }
    let path = std::path::Path::new("/no/such/file");
    assert!(StoredPair::from_file(path).err().unwrap().to_string().contains("/no/such/file"));
}

#[tokio::test]
async fn tokens_of_one_sandbox_are_good_in_another() {
    let first = Server::new(Options::default()).await;
    let (_, answer) = sent(first.exchange(&first.code().await)).await;
    let stored = StoredPair::from_lines(answer.to_string().as_bytes()).unwrap();
    assert_eq!(stored[0].client.as_deref(), Some(CLIENT_ID));
    let second = Server::new(Options { stored, seed: 7, ..Options::default() }).await;
    assert_eq!(second.check(answer["access_token"].as_str().unwrap()).await, 200);
    assert_eq!(sent(second.refresh(answer["refresh_token"].as_str().unwrap())).await.0, 200);
}

#[tokio::test]
async fn a_stored_token_can_die_and_a_reset_restores_what_was_used() {
    let server = Server::new(stored()).await;
    assert_eq!(server.check(ACCESS).await, 200);
    let dead = StoredPair::new(Scope::Location, ID).access(ACCESS, AccessLife::Dead);
    server.sandbox.store(vec![dead]);
    let (_, first) = sent(server.refresh(REFRESH)).await;
    let url = format!("{}/_sandbox/audit", server.sandbox.base_url());
    assert_eq!(sent(server.client.delete(url)).await.0, 204);
    assert!(server.sandbox.audit().refreshes.is_empty());
    assert_eq!(server.check(ACCESS).await, 401, "what was stored last holds");
    assert_eq!(server.check(first["access_token"].as_str().unwrap()).await, 401);
    assert_eq!(sent(server.refresh(REFRESH)).await.0, 200);
    assert_eq!(server.sandbox.audit().grants.len(), 1, "it is the first one again");
}

#[tokio::test]
async fn the_control_api_steers_and_reports() {
    let server = Server::new(Options::default()).await;
    let url = |path: &str| format!("{}/_sandbox/{path}", server.sandbox.base_url());
    let get = |path| server.client.get(url(path));
    let put = |path, body: &str| sent(server.client.post(url(path)).body(body.to_owned()));
    assert_eq!(sent(get("health")).await, (200, json!("ok")));
    assert_eq!(put("faults", r#"{"*": ["nonsense"]}"#).await.0, 400);
    assert_eq!(put("faults", r#"{"*": ["server_error*"]}"#).await.0, 204);
    assert_eq!(sent(server.reconnect("locationId")).await.0, 500);
    let (_, audit) = sent(get("audit")).await;
    let request = &audit["requests"][0];
    assert_eq!((&request["fault"], &request["status"]), (&json!("server_error"), &json!(500)));
    assert_eq!(sent(get("counts")).await.1["requests"], 1);
    let tokens = json!({"companyId": COMPANY, "access_token": "a.b.c"}).to_string();
    assert_eq!(put("stored", &tokens).await.0, 204);
    let location = json!({"_id": ID, "companyId": COMPANY}).to_string();
    assert_eq!(put("installed", &location).await.0, 204);
    let (_, page) = sent(server.get(&list(V2, ""), "a.b.c", V2)).await;
    assert_eq!(page["locations"][0]["_id"], ID);
    for (path, text) in [("stored", "{}"), ("stored", "[1"), ("installed", "{\"_id\":7}")] {
        let (status, says) = put(path, text).await;
        assert_eq!((status, says.as_str().unwrap().contains("line 1: ")), (400, true), "{says}");
    }
}
