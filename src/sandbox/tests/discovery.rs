//! The locations of an agency come page by page.

use serde_json::Value;

use super::{ACCESS, AGENCY, Bench, COMPANY, V2, V3, household, sent};
use crate::installation::Scope;
use crate::sandbox::{
    AccessLife, CLIENT_ID, InstalledLocation, Options, Presence, Step, StoredPair,
};

/// So many locations, every tenth without the app; and one of another agency.
fn locations(count: usize) -> Vec<InstalledLocation> {
    let presence = |n| if n % 10 == 9 { Presence::Absent } else { Presence::Installed };
    let own = (0..count)
        .map(|n| InstalledLocation::new(format!("location-{n:04}"), COMPANY).presence(presence(n)));
    own.chain([InstalledLocation::new("of-another", "another-company")]).collect()
}

async fn bench(count: usize) -> Bench {
    Bench::new(Options { installed: locations(count), ..household() }).await
}

fn path(version: &str, more: &str) -> String {
    let name = if version == V3 { "installed-locations" } else { "installedLocations" };
    format!("/oauth/{name}?companyId={COMPANY}&appId=app{more}")
}

fn ids(list: &Value) -> Vec<String> {
    let rows = list.as_array().unwrap().iter();
    rows.map(|row| row["_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn version_2_skips_and_counts() {
    let bench = bench(250).await;
    for (more, first, size) in [
        ("", 0, 20),
        ("&skip=240", 240, 10),
        ("&limit=7&skip=7", 7, 7),
        ("&limit=500", 0, 100),
        ("&skip=250", 250, 0),
    ] {
        let (status, page) = sent(bench.get(&path(V2, more), AGENCY, V2)).await;
        assert_eq!((status, page["count"].as_u64()), (200, Some(250)), "{more}");
        let expected: Vec<_> = (first..first + size).map(|n| format!("location-{n:04}")).collect();
        assert_eq!(ids(&page["locations"]), expected, "{more}");
    }
    let (_, page) = sent(bench.get(&path(V2, ""), AGENCY, V2)).await;
    let states = [&page["locations"][8]["isInstalled"], &page["locations"][9]["isInstalled"]];
    assert_eq!(states, [&Value::Bool(true), &Value::Bool(false)]);
    for (wanted, count) in [("true", 225), ("false", 25)] {
        let (_, page) =
            sent(bench.get(&path(V2, &format!("&isInstalled={wanted}")), AGENCY, V2)).await;
        assert_eq!(page["count"].as_u64(), Some(count), "{wanted}");
    }
    let audit = bench.sandbox.audit();
    let seen = audit.requests_at(Step::Discover);
    assert_eq!(seen[1].query.as_deref(), path(V2, "&skip=240").split('?').nth(1));
    assert_eq!((seen[1].id.as_deref(), seen.len()), (Some(COMPANY), 8));
}

#[tokio::test]
async fn version_3_hands_a_token_from_page_to_page() {
    let bench = bench(250).await;
    let (mut all, mut pages, mut more) = (Vec::new(), 0, String::new());
    loop {
        let request = bench.get(&path(V3, &format!("&pageSize=100{more}")), AGENCY, V3);
        let (status, page) = sent(request).await;
        assert_eq!(status, 200, "{page}");
        all.extend(ids(&page["items"]));
        pages += 1;
        let pagination = &page["pagination"];
        let next = pagination["nextPageToken"].as_str();
        assert_eq!(pagination["hasNextPage"].as_bool(), Some(next.is_some()));
        let Some(next) = next else { break };
        more = format!("&pageToken={next}");
    }
    assert_eq!((all.len(), pages), (250, 3));
    assert!(all.is_sorted());
}

#[tokio::test]
async fn a_discovery_that_does_not_do_is_told_why() {
    let own = StoredPair::new(Scope::Company, COMPANY).client(CLIENT_ID);
    let mut options = household();
    options.stored.push(own.access("own", AccessLife::Alive));
    let bench = Bench::new(options).await;
    let v2 = |query: &str| format!("/oauth/installedLocations{query}");
    let v3 = |query: &str| format!("/oauth/installed-locations{query}");
    let both = |app: &str| format!("?companyId={COMPANY}&appId={app}");
    let app = CLIENT_ID.split('-').next().unwrap();
    let rows = [
        (v2(""), "own", V2, 422, "companyId must be a string"),
        (v2("?companyId=c"), "own", V2, 422, "appId must be a string"),
        (v2(&format!("{}&skip=many", both(app))), "own", V2, 422, "skip"),
        (v2(&both(CLIENT_ID)), "own", V2, 400, "App not found"),
        (v2(&both(CLIENT_ID)), AGENCY, V2, 400, "App not found"),
        (v2(&both(app)), ACCESS, V2, 401, "authClass type is not allowed"),
        (v2(&both(app)), "unknown", V2, 401, "Invalid JWT"),
        (v2("?companyId=another&appId=app"), AGENCY, V2, 403, "does not have access"),
        (v2(&both(app)), "own", V3, 400, "not available in API version v3"),
        (v3(&both(app)), "own", V2, 404, "Cannot GET"),
        (v3(""), "own", V3, 400, "Invalid value for parameter companyId."),
        (v3(&format!("{}&pageSize=101", both(app))), "own", V3, 400, "pageSize"),
        (v3(&format!("{}&pageToken=7", both(app))), "own", V3, 400, "pageToken"),
        (v3(&both("abc")), "own", V3, 404, "The requested App 'abc' was not found."),
    ];
    for (path, token, version, expected, says) in rows {
        let (status, answer) = sent(bench.get(&path, token, version)).await;
        assert_eq!(status, expected, "{path}: {answer}");
        let message = answer.get("message").unwrap_or(&answer["error"]["message"]);
        assert!(message.to_string().contains(says), "{path}: {answer}");
    }
    assert_eq!(sent(bench.get(&v2(&both(app)), "own", V2)).await.0, 200);
    let bare = bench.client.get(bench.url(&v2(&both(app)))).bearer_auth("own");
    assert_eq!(sent(bare).await.1["message"], "version header was not found.");
}

#[tokio::test]
async fn a_list_can_lie_when_a_fault_says_so() {
    let faults = r#"{"*": ["wrong_count", "first_page"]}"#;
    let bench = bench(30).await;
    bench.sandbox.set_faults(super::FaultPlan::from_json(faults.as_bytes()).unwrap());
    let (_, page) = sent(bench.get(&path(V2, ""), AGENCY, V2)).await;
    assert_eq!((page["count"].as_u64(), ids(&page["locations"]).len()), (Some(31), 20));
    let (_, page) = sent(bench.get(&path(V2, "&skip=20"), AGENCY, V2)).await;
    assert_eq!(ids(&page["locations"])[0], "location-0000");
}
