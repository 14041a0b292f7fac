use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::*;

const ID: &str = "ve9EPM428h8vShlRW1KT";
const OTHER: &str = "tDtDnQdgm2LXpyiqYvZ6";
const CLIENT: &str = "66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef";
const OTHER_PAIR: &str = "66c1a6f5e4b0a1b2c3d4e5f6-m1zzzzzz";
const OTHER_APP: &str = "76c1a6f5e4b0a1b2c3d4e5f6-m1abcdef";

fn reply(body: &Value) -> Reply {
    Reply::of(200, &body.to_string())
}

fn jwt(claims: &Value) -> String {
    format!("eyJhbGciOiJub25lIn0.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn installation(scope: Scope) -> Installation {
    Installation { scope, id: Id::new(ID).unwrap(), company: None }
}

#[test]
fn the_right_tenant_or_nothing() {
    let located = jwt(&json!({"authClass": "Location", "authClassId": ID}));
    for (scope, answer, expected) in [
        (
            Scope::Location,
            json!({"userType": "Location", "locationId": ID, "companyId": OTHER}),
            None,
        ),
        (Scope::Location, json!({"user_type": "Location", "location_id": ID}), None),
        (Scope::Location, json!({"locationId": ID}), None),
        (Scope::Location, json!({"access_token": located}), None),
        (Scope::Company, json!({"userType": "Company", "companyId": ID}), None),
        (Scope::Company, json!({"companyId": ID}), None),
        (
            Scope::Location,
            json!({"userType": "Location", "locationId": OTHER}),
            Some(Class::WrongTenant),
        ),
        (
            Scope::Location,
            json!({"userType": "Location", "companyId": ID}),
            Some(Class::WrongTenant),
        ),
        (
            Scope::Location,
            json!({"userType": "Company", "companyId": OTHER}),
            Some(Class::WrongKind),
        ),
        (
            Scope::Company,
            json!({"userType": "Location", "locationId": OTHER, "companyId": ID}),
            Some(Class::WrongKind),
        ),
        (
            Scope::Company,
            json!({"userType": "Company", "companyId": OTHER}),
            Some(Class::WrongTenant),
        ),
        (Scope::Company, json!({"locationId": OTHER, "companyId": ID}), Some(Class::WrongKind)),
        (Scope::Location, json!({}), Some(Class::WrongTenant)),
    ] {
        let mut body = json!({"access_token": "opaque"});
        body.as_object_mut().unwrap().extend(answer.as_object().unwrap().clone());
        let pair = tokens_of(&reply(&body)).unwrap();
        let class = pair.belongs_to(&installation(scope), CLIENT).err().map(|m| m.class);
        assert_eq!(class, expected, "{scope} {answer}");
    }
}

#[test]
fn the_claims_of_a_token_decide_too() {
    let error_text = json!({"userType": "Location", "locationId": ID, "companyId": OTHER});
    let located = |id: &str| json!({"authClass": "Location", "authClassId": id});
    let given_to = |client: &str| json!({"authClassId": ID, "sourceId": client});
    for (claims, expected) in [
        (located(ID), None),
        (json!({}), None),
        (json!({"authClass": "Something"}), None),
        (given_to(CLIENT), None),
        (given_to(OTHER_PAIR), None),
        (located(OTHER), Some(Class::WrongTenant)),
        (json!({"authClassId": OTHER}), Some(Class::WrongTenant)),
        (given_to(OTHER_APP), Some(Class::WrongTenant)),
        (json!({"authClass": "Company"}), Some(Class::WrongKind)),
        (json!({"authClass": "Company", "authClassId": OTHER}), Some(Class::WrongKind)),
    ] {
        for (access, refresh) in [(jwt(&claims), "opaque".into()), ("opaque".into(), jwt(&claims))]
        {
            let mut body = json!({"access_token": access, "refresh_token": refresh});
            body.as_object_mut().unwrap().extend(error_text.as_object().unwrap().clone());
            let pair = tokens_of(&reply(&body)).unwrap();
            let class = pair.belongs_to(&installation(Scope::Location), CLIENT);
            assert_eq!(class.err().map(|m| m.class), expected, "{claims}");
        }
    }
}

#[test]
fn a_session_document_is_the_same_from_either_casing() {
    let snake = json!({
        "access_token": "a", "token_type": "Bearer", "expires_in": 86399, "refresh_token": "r",
        "scope": "s", "userType": "Location", "locationId": ID, "companyId": OTHER,
        "userId": "u", "planId": "p",
    });
    let camel = json!({
        "accessToken": "a", "tokenType": "Bearer", "expiresIn": 86399, "refreshToken": "r",
        "scope": "s", "userType": "Location", "locationId": ID, "companyId": OTHER,
        "userId": "u", "planId": "p",
    });
    let mut documents = [snake, camel].map(|body| {
        let pair = tokens_of(&reply(&body)).unwrap();
        pair.session_document("66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef", &installation(Scope::Location))
    });
    let names: Vec<_> = documents[0].keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "applicationId",
            "resourceId",
            "access_token",
            "refresh_token",
            "token_type",
            "expires_in",
            "expire_at",
            "scope",
            "userType",
            "companyId",
            "locationId",
            "userId",
            "planId"
        ]
    );
    assert_eq!(documents[0]["applicationId"], "66c1a6f5e4b0a1b2c3d4e5f6");
    for document in &mut documents {
        assert!(document.remove("expire_at").is_some_and(|at| at.is_i64()));
    }
    assert_eq!(documents[0], documents[1]);
}

#[test]
fn an_answer_without_an_access_token_is_a_bad_answer() {
    for body in [json!({}), json!({"access_token": ""}), json!({"access_token": 7})] {
        assert_eq!(tokens_of(&reply(&body)).unwrap_err().class, Class::BadAnswer, "{body}");
    }
}

#[test]
fn an_agency_gets_tokens_for_the_location_that_it_asked_for() {
    let company = Id::new(OTHER).unwrap();
    let claimed = |class: &str, id: &str| jwt(&json!({"authClass": class, "authClassId": id}));
    for (answer, expected) in [
        (json!({"access_token": "a", "locationId": ID}), Ok(())),
        (json!({"accessToken": "a", "locationId": ID, "refreshToken": "r"}), Ok(())),
        (json!({"access_token": claimed("Location", ID)}), Ok(())),
        (json!({"access_token": "a"}), Err(Class::WrongTenant)),
        (json!({"access_token": "a", "locationId": OTHER}), Err(Class::WrongTenant)),
        (json!({"access_token": claimed("Company", OTHER)}), Err(Class::WrongKind)),
        (
            json!({"access_token": "a", "userType": "Company", "locationId": ID}),
            Err(Class::WrongKind),
        ),
    ] {
        let reply = Reply::of(201, &answer.to_string());
        let pair = location_tokens_of(&reply, &company).unwrap();
        let wanted = installation(Scope::Location);
        assert_eq!(pair.belongs_to(&wanted, CLIENT).map_err(|m| m.class), expected, "{answer}");
        if expected.is_ok() {
            let document = pair.session_document("a-b", &wanted);
            assert_eq!(document["userType"], "Location", "{answer}");
            assert_eq!(document["companyId"], OTHER, "{answer}");
            assert_eq!(pair.has_refresh_token(), document.contains_key("refresh_token"));
        }
    }
}

#[test]
fn a_refusal_is_told_at_its_stage() {
    let reply =
        Reply::of(400, r#"{"statusCode":400,"message":"Invalid grant: refresh token is invalid"}"#);
    let failure = tokens_at(Stage::Refresh, &reply).unwrap_err();
    assert_eq!((failure.stage, failure.class), (Stage::Refresh, Class::GrantRefused));
}
