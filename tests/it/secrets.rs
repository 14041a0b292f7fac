//! What may not get out, and what may not come in: secrets in what a server says, tokens of a list
//! under odd names, tokens whose claims name somebody else.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    recording::{Recording, Reply},
    support::{CLIENT_ID, Work, company, location},
};

const OTHER_APP: &str = "76c1a6f5e4b0a1b2c3d4e5f6-m1abcdef";

fn jwt(claims: &Value) -> String {
    format!("eyJhbGciOiJSUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

#[test]
fn a_pair_whose_own_claims_name_somebody_else_is_quarantined_on_every_route() {
    let claims = json!([
        { "authClass": "Location", "authClassId": location(99) },
        { "authClass": "Company", "authClassId": location(1) },
        { "authClass": "Location", "authClassId": location(2), "sourceId": OTHER_APP },
        { "authClass": "Location", "authClassId": location(3), "sourceId": CLIENT_ID },
        {},
    ]);
    let expected = ["wrong_tenant", "wrong_kind", "wrong_tenant", "", ""];
    for via in ["reconnect", "refresh", "agency"] {
        let claims = claims.clone();
        let highlevel = Recording::answering(move |book, _, seen| {
            if seen.is_reconnect() {
                return book.answer(seen);
            }
            let presented = ["refresh_token", "locationId"].map(|name| seen.field(name));
            let id = match (presented, seen.field("code")) {
                ([Some(token), _], _) => location(token[token.len() - 1..].parse().unwrap()),
                ([_, Some(id)], _) => id,
                (_, code) => {
                    book.present(seen);
                    book.owner(&code.unwrap()).unwrap()
                }
            };
            let n: usize = id.trim_start_matches("Loc").parse().unwrap();
            let body = json!({
                "access_token": jwt(&claims[n]), "refresh_token": format!("refresh-{n:024}"),
                "userType": "Location", "locationId": id, "companyId": company(1),
            });
            Reply::Json(200, body)
        });
        let work = Work::new();
        let list = (0..5).fold("location_id,company_id,refresh_token\n".to_owned(), |csv, n| {
            csv + &format!("{},{},old-refresh-token-of-row-{n}\n", location(n), company(1))
        });
        let agency = json!({ "companyId": company(1), "access_token": "agency-token-0123456789" });
        let agency = work.file("agencies.jsonl", format!("{agency}\n"));
        let list = work.file("list.csv", list);
        let run = work.run(list, &highlevel.url()).args(["--via", via, "--concurrency", "8"]);
        let ran = run.arg("--agency-tokens").arg(agency).go();
        for (n, class) in expected.into_iter().enumerate() {
            let row = ran.result(&location(n));
            let status = if class.is_empty() { "recovered" } else { "failed" };
            assert_eq!(
                (&*row["status"], &*row["error_class"]),
                (status, class),
                "{via} {n} {row:?}"
            );
        }
        assert_eq!((ran.tokens().len(), ran.quarantine().len()), (2, 3), "{via}");
    }
}
