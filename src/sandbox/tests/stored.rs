//! What is known from the start: read, replaced, and restored.

use serde_json::json;

use super::{ACCESS, Bench, COMPANY, ID, REFRESH, V2, body, household, sent};
use crate::installation::Scope;
use crate::sandbox::{
    AccessLife, CLIENT_ID, InstalledLocation, Options, Presence, RefreshLife, StoredPair,
};

#[test]
fn tokens_are_read_from_the_lines_that_a_run_writes() {
    let line = json!({
        "applicationId": "66c1a6f5e4b0a1b2c3d4e5f6", "resourceId": ID, "access_token": "a.b.c",
        "refresh_token": "r", "token_type": "Bearer", "expires_in": 86_399,
        "expire_at": 1_800_000_000_000_i64, "scope": "contacts.readonly",
        "userType": "Location", "companyId": COMPANY, "locationId": ID, "userId": "u",
    });
    let dead = json!({"companyId": COMPANY, "accessToken": "x", "access": "no_scope"});
    let read = StoredPair::from_lines(format!("{line}\n{dead}\n").as_bytes()).unwrap();
    let [first, second] = &read[..] else { panic!("{}", read.len()) };
    assert_eq!((first.scope, first.id.as_str()), (Scope::Location, ID));
    assert_eq!(first.company.as_deref(), Some(COMPANY));
    assert_eq!(first.client.as_deref(), Some("66c1a6f5e4b0a1b2c3d4e5f6"));
    assert_eq!(first.access, Some(("a.b.c".into(), AccessLife::Alive)));
    assert_eq!(first.refresh, Some(("r".into(), RefreshLife::Good)));
    assert_eq!(first.expires.unwrap().as_second(), 1_800_000_000);
    assert_eq!((second.scope, second.id.as_str()), (Scope::Company, COMPANY));
    assert_eq!(second.access, Some(("x".into(), AccessLife::NoScope)));
}

#[tokio::test]
async fn tokens_of_one_sandbox_are_good_in_another() {
    let first = Bench::new(Options::default()).await;
    let code = first.code().await;
    let answer = body(first.try_exchange(&code).await.unwrap()).await;
    let stored = StoredPair::from_lines(answer.to_string().as_bytes()).unwrap();
    assert_eq!(stored[0].client.as_deref(), Some(CLIENT_ID));
    let second = Bench::new(Options { stored, seed: 7, ..Options::default() }).await;
    let access = answer["access_token"].as_str().unwrap();
    assert_eq!(sent(second.get(&format!("/locations/{ID}"), access, V2)).await.0, 200);
    let refresh = answer["refresh_token"].as_str().unwrap();
    assert_eq!(second.try_refresh(refresh).await.status(), 200);
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

#[test]
fn locations_are_read_from_lines() {
    let text = "{\"_id\":\"a\",\"companyId\":\"c\"}\n\
                {\"_id\":\"b\",\"companyId\":\"c\",\"isInstalled\":false}";
    let expected = [
        InstalledLocation::new("a", "c"),
        InstalledLocation::new("b", "c").presence(Presence::Absent),
    ];
    assert_eq!(InstalledLocation::from_lines(text.as_bytes()).unwrap(), expected);
    let path = std::path::Path::new("/no/such/file");
    assert!(InstalledLocation::from_file(path).is_err());
}

#[tokio::test]
async fn a_stored_token_can_die_and_a_reset_restores_what_was_used() {
    let bench = Bench::new(household()).await;
    let location = format!("/locations/{ID}");
    let status = async || sent(bench.get(&location, ACCESS, V2)).await.0;
    assert_eq!(status().await, 200);
    let dead = StoredPair::new(Scope::Location, ID).access(ACCESS, AccessLife::Dead);
    bench.sandbox.store(vec![dead]);
    assert_eq!(status().await, 401);
    let first = body(bench.try_refresh(REFRESH).await).await;
    bench.client.delete(bench.url("/_sandbox/audit")).send().await.unwrap();
    assert!(bench.sandbox.audit().refreshes.is_empty());
    assert_eq!(status().await, 401);
    assert_eq!(bench.try_refresh(REFRESH).await.status(), 200);
    assert_eq!(bench.sandbox.audit().grants.len(), 1, "it is the first one again");
    assert!(first["access_token"].is_string());
    bench.sandbox.list(vec![InstalledLocation::new("b", COMPANY)]);
    let refused =
        bench.location_token(super::AGENCY, V2, &[("companyId", COMPANY), ("locationId", ID)]);
    assert_eq!(sent(refused).await.0, 400, "where locations are listed, others are not there");
}
