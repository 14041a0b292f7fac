use std::fs;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::*;
use crate::failure::{Class, Stage};

const ONE: &str = "Com00000000000000001";
const TWO: &str = "Com00000000000000002";

fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

fn jwt(class: &str, id: &str, exp: i64) -> String {
    let claims = json!({"authClass": class, "authClassId": id, "exp": exp});
    format!("eyJhbGciOiJub25lIn0.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn loaded(lines: &str) -> Result<AgencyTokens, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), lines).unwrap();
    AgencyTokens::load(Some(file.path()), None).map_err(|error| error.to_string())
}

fn state(tokens: &AgencyTokens, company: &str, now: i64) -> String {
    match tokens.get_at(&id(company), Timestamp::from_second(now).unwrap()) {
        Held::Usable(token) => token.expose().to_owned(),
        Held::Expired(at) => format!("expired {}", at.as_second()),
        Held::Refused(failure) => format!("refused {}", failure.class),
        Held::Missing => "missing".into(),
    }
}

#[test]
fn a_file_gives_each_agency_its_token() {
    let claimed = jwt("Company", TWO, 2000);
    let lines = [
        json!({"userType": "Company", "companyId": ONE, "access_token": "old", "expire_at": 1_000_000}),
        json!({"userType": "Company", "resourceId": ONE, "access_token": "new", "expire_at": 3_000_000}),
        json!({"userType": "Company", "companyId": ONE, "access_token": "older", "expire_at": 500_000}),
        json!({"accessToken": claimed}),
        json!({"userType": "Location", "locationId": "Loc1", "companyId": ONE, "access_token": "l"}),
        json!({"userType": "Company", "companyId": ONE, "access_token": jwt("Location", ONE, 9)}),
    ];
    let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
    let tokens = loaded(&format!("\u{feff}{}\n\n", lines.join("\r\n"))).unwrap();
    assert_eq!(state(&tokens, ONE, 100), "new");
    assert_eq!(state(&tokens, ONE, 2996), "expired 3000");
    assert_eq!(state(&tokens, TWO, 100), claimed);
    assert_eq!(state(&tokens, TWO, 2000), "expired 2000");
    assert_eq!(state(&tokens, "Com00000000000000003", 100), "missing");
    assert_eq!(tokens.known(), HashSet::from([id(ONE), id(TWO)]));
    assert!(tokens.notes()[0].ends_with(": 2 tokens of sub-accounts are not used"));
    assert!(!format!("{tokens:?}").contains("new"));
}

#[test]
fn a_line_that_cannot_be_used_is_named_and_costs_one_agency() {
    let good = json!({"companyId": ONE, "access_token": "good"}).to_string();
    for (line, says) in [
        ("{\"access_token\":\"hunter2\"", "not a JSON object"),
        ("[\"hunter2\"]", "not a JSON object"),
        (r#"{"companyId":"Com00000000000000001"}"#, "an agency without"),
        (r#"{"access_token":"hunter2"}"#, "neither companyId"),
        (r#"{"companyId":"x","access_token":"hunter2"}"#, "neither companyId"),
        (r#"{"companyId":"Com00000000000000002","access_token":"hunter2,"}"#, "pasted along"),
        (r#"{"companyId":"Com00000000000000002","access_token":"pit-hunter2"}"#, "Private"),
    ] {
        let tokens = loaded(&format!("{good}\n{line}\n")).expect(line);
        let [note] = tokens.notes() else { panic!("{:?}", tokens.notes()) };
        assert!(note.contains("line 2: ") && note.contains(says), "{line}: {note}");
        assert!(!note.contains("hunter2"), "{note}");
        assert_eq!(state(&tokens, ONE, 100), "good");
        assert_eq!((state(&tokens, TWO, 100), tokens.unusable_lines()), ("missing".into(), 1));
        let error = loaded(line).expect_err("nothing is left");
        assert!(error.contains("line 1: ") && error.contains(says), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let many = format!("{good}\n{}", "nonsense\n".repeat(100));
    let tokens = loaded(&many).unwrap();
    assert_eq!(tokens.notes().len(), 6);
    assert!(tokens.notes()[5].contains("95 more"), "{:?}", tokens.notes());
    let error = loaded(r#"{"userType":"Location","access_token":"t"}"#).err().unwrap();
    assert!(error.contains("has no agency token (1 of sub-accounts)"), "{error}");
}

#[test]
fn a_variable_is_of_the_agency_that_it_names_or_of_all() {
    let of = |text: &str| AgencyTokens::load(None, Some(text)).map_err(|error| error.to_string());
    let claimed = jwt("Company", ONE, 2000);
    let tokens = of(&claimed).unwrap();
    assert_eq!(state(&tokens, ONE, 100), claimed);
    assert_eq!(state(&tokens, TWO, 100), "missing");
    let opaque = of("opaque").unwrap();
    assert!(opaque.has_one_for_all());
    assert_eq!(state(&opaque, TWO, 100), "opaque");
    for (text, says) in [
        (jwt("Location", ONE, 9), "sub-account"),
        ("pit-x".into(), "Private"),
        ("a b".into(), "pasted along"),
    ] {
        let error = of(&text).err().unwrap();
        assert!(error.starts_with(VARIABLE) && error.contains(says), "{error}");
    }
}

#[test]
fn a_refusal_stops_one_agency_once_and_until_a_new_token_comes() {
    let lines = [ONE, TWO].map(|id| json!({"companyId": id, "access_token": id}).to_string());
    let tokens = loaded(&lines.join("\n")).unwrap();
    let failure = Failure::without_answer(Stage::Agency, Class::WrongKind, "user type");
    let old = Secret::new(ONE.into());
    assert_eq!(tokens.refuse(&id(ONE), &old, &failure), StateChange::First);
    assert_eq!(tokens.refuse(&id(ONE), &old, &failure), StateChange::Known);
    assert_eq!(state(&tokens, ONE, 0), "refused wrong_kind");
    assert_eq!(state(&tokens, TWO, 0), TWO);
    tokens.insert(id(ONE), Secret::new("fresh".into()), None);
    assert_eq!(
        tokens.refuse(&id(ONE), &old, &failure),
        StateChange::Known,
        "a late refusal of the old one"
    );
    assert_eq!(state(&tokens, ONE, 0), "fresh");
    let secrets: HashSet<_> =
        tokens.secrets().iter().map(|secret| secret.expose().to_owned()).collect();
    assert_eq!(secrets, HashSet::from(["fresh".to_owned(), TWO.to_owned()]));
}

#[test]
fn an_app_does_not_use_the_token_that_an_agency_gave_to_another() {
    let line = |app: &str, token: &str| json!({"applicationId": app, "userType": "Company", "companyId": ONE, "access_token": token});
    let anybodys = json!({"userType": "Company", "companyId": TWO, "access_token": "anybody"});
    let lines = [line("crm", "of-crm"), line("shop-m1", "of-shop"), anybodys];
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), lines.map(|line| line.to_string() + "\n").concat()).unwrap();
    for (app, one) in [("crm", "of-crm"), ("shop", "of-shop"), ("toys", "missing")] {
        let given = AgencyTokens::load_of(Owner::App(app), Some(file.path()), None).unwrap();
        let recovered = AgencyTokens::default();
        recovered.take_recovered(Owner::App(app), file.path());
        for tokens in [given, recovered] {
            assert_eq!(state(&tokens, ONE, 100), one, "{app}");
            assert_eq!(state(&tokens, TWO, 100), "anybody", "{app}");
        }
    }
}
