use clap::ValueEnum;

use super::*;
use BodyKind::Json;
use Stage::{Exchange, Reconnect, Refresh};

#[test]
fn the_built_in_file_parses_and_every_example_lands_on_its_row() {
    let book: ClassFile = toml::from_str(CLASSES).unwrap();
    let answers = Answers::default();
    assert_eq!(book.answer.len(), TABLE.rules.len());
    for (index, row) in rows().enumerate() {
        assert!(!row.example.0.is_empty(), "row {}: {row:?}", index + 1);
        assert!(!row.source.is_empty(), "row {}: {row:?}", index + 1);
        assert_eq!(answers.check(index), Ok(()), "row {}", index + 1);
    }
}

#[test]
fn every_class_is_described_once() {
    let book: ClassFile = toml::from_str(CLASSES).unwrap();
    let every = Class::value_variants();
    let named: Vec<Class> = book.class.iter().map(|about| about.name).collect();
    assert_eq!(named, every, "in the order in which they are declared");
    for about in &book.class {
        assert!(
            !about.means.is_empty() && !about.recognised_by.is_empty() && !about.todo.is_empty()
        );
        let may_halt = about.halts.is_some() || about.reach == Reach::AllStop;
        assert!(
            !may_halt || !about.next_steps.is_empty(),
            "{}: what to do when it halts",
            about.name
        );
    }
}

#[test]
fn rows_of_the_user_go_before_and_mistakes_in_them_are_named_with_their_line() {
    let known = r#"
        [[answer]]
        stage = "reconnect"
        status = [418, "430-439"]
        message = "I'm a teapot"
        class = "location_inactive"
        example = "{\"message\":\"So: I'm a teapot!\"}"
    "#;
    let answers = Answers::parse(known).unwrap();
    for (stage, status, error_text, class) in [
        (Reconnect, 418, "Sorry: i'm a TEAPOT ve9EPM428h8vShlRW1KT", Class::LocationInactive),
        (Reconnect, 435, "I'm a teapot", Class::LocationInactive),
        (Reconnect, 400, "I'm a teapot", Class::Unrecognised),
        (Exchange, 418, "I'm a teapot", Class::Unrecognised),
        (Reconnect, 429, "I'm a teapot", Class::RateLimited),
        (Reconnect, 400, "Location not found", Class::UnknownId),
    ] {
        assert_eq!(
            answers.class_of(stage, status, Json, error_text),
            class,
            "{stage} {status} {error_text}"
        );
    }
    let row = "[[answer]]\nstatus = 400\nclass = \"unknown_id\"\n";
    for (text, says) in [
        (format!("{row}\n[[answer]]\nstatus = 400\nclass = \"nonsense\"\n"), "line 7"),
        (format!("{row}\n[[answer]]\nclass = \"unknown_id\"\n"), "line 5, row 2: give a status"),
        (format!("{row}mesage = \"x\"\n"), "mesage"),
        ("[[answer]]\nstatus = 4000\nclass = \"unknown_id\"".into(), "from 100 to 599"),
        ("[[answer]]\nstatus = \"abc\"\nclass = \"unknown_id\"".into(), "\"500-599\""),
        ("[[answer]]\nmessage = \"[?!]\"\nclass = \"unknown_id\"".into(), "without words"),
        ("[[answer]]\nstage = \"recon\"\nstatus = 1\nclass = \"unknown_id\"".into(), "line 2"),
        (
            format!("{row}example = \"x\"\n{row}example = \"x\"\n"),
            "row 2: the example \"x\" lands on row 1",
        ),
        (format!("{row}message = \"y\"\nexample = \"x\"\n"), "does not match its row"),
        ("answer = 1".into(), "line 1"),
        ("[[class]]\nname = \"halted\"".into(), "class"),
    ] {
        let error = Answers::parse(&text).unwrap_err().to_string();
        assert!(error.contains(says), "{text}\n{error}");
    }
}

/// `classes.toml` is where answers are tabulated: its examples are the published ones.
#[test]
fn every_example_has_its_class_at_each_stage_and_status_of_its_row() {
    for row in rows() {
        let stages = match &row.stage.0[..] {
            [] => &[Refresh, Reconnect, Exchange][..],
            stages => stages,
        };
        let ends = row.status.0.iter().flat_map(|range| [*range.0.start(), *range.0.end()]);
        let statuses: Vec<u16> = if row.status.0.is_empty() { vec![400] } else { ends.collect() };
        for example in &row.example.0 {
            let (kind, error_text) = error_text::error_text(example.as_bytes());
            for (stage, status) in
                stages.iter().flat_map(|s| statuses.iter().map(move |n| (*s, *n)))
            {
                let class = Answers::default().class_of(stage, status, kind, &error_text);
                assert_eq!(class, row.class, "{stage} {status} {example}");
            }
        }
    }
}

#[test]
fn a_status_goes_before_a_text_and_what_no_row_knows_is_unrecognised() {
    for (stage, status, body, error_text, class) in [
        (Reconnect, 500, Json, "Invalid client", Class::ServerError),
        (Reconnect, 503, Json, "App is not installed on this location", Class::ServerError),
        (Reconnect, 404, Json, "Location not found", Class::UnknownId),
        (Reconnect, 404, Json, "The requested App was not found.", Class::Unrecognised),
        (Reconnect, 403, Json, "Forbidden resource", Class::Unrecognised),
        (Exchange, 400, Json, "Something new", Class::Unrecognised),
        (Reconnect, 418, Json, "I'm a teapot", Class::Unrecognised),
    ] {
        let found = Answers::default().class_of(stage, status, body, error_text);
        assert_eq!(found, class, "{stage} {status} {error_text}");
    }
}

/// Bodies of answers by what they find fault with.
#[rustfmt::skip]
const OF_ALL: &[(&[Stage], u16, &str)] = &[
    // node oauth2-server, versions 2 to 4.
    (&[Exchange, Refresh], 400, r#"{"error":"invalid_request","error_description":"Missing parameter: `client_id`"}"#),
    (&[Exchange, Refresh], 400, r#"{"error":"invalid_request","error_description":"Invalid parameter: `grant_type`"}"#),
    (&[Exchange, Refresh], 400, r#"{"error":"invalid_request","error_description":"Invalid or missing grant_type parameter"}"#),
    (&[Exchange, Refresh], 400, r#"{"code":400,"error":"invalid_request","error_description":"Missing client_secret parameter"}"#),
    (&[Exchange, Refresh], 400, r#"{"error":"unsupported_grant_type"}"#),
    (&[Exchange, Refresh], 400, r#"{"error":"invalid_grant","error_description":"Invalid redirect_uri"}"#),
    (&[Exchange], 400, r#"{"error":"invalid_request","error_description":"Missing parameter: `redirect_uri`"}"#),
    // HighLevel's v3, and its validation.
    (&[Reconnect, Exchange, Refresh], 400, r#"{"statusCode":400,"message":"Missing parameter: clientId"}"#),
    (&[Exchange, Refresh], 400, r#"{"error":{"code":"BAD_REQUEST","message":"Invalid parameter: grantType","details":null,"resolution":""}}"#),
    (&[Reconnect], 422, r#"{"statusCode":422,"message":["clientKey should not be empty","clientSecret must be a string"],"error":"Unprocessable Entity"}"#),
    (&[Exchange], 422, r#"{"message":["property redirect_uri should not exist"],"statusCode":422}"#),
    (&[Exchange, Refresh], 400, r#""redirect_uri is required""#),
    (&[Exchange], 400, r#"{"message":"client_id is required"}"#),
    (&[Exchange], 400, "Missing parameter: clientId"),
];

#[rustfmt::skip]
const OF_ONE: &[(&[Stage], u16, &str)] = &[
    (&[Reconnect], 400, r#"{"statusCode":400,"message":"Missing parameter: locationId"}"#),
    (&[Reconnect], 422, r#"{"statusCode":422,"message":["locationId must be a string"],"error":"Unprocessable Entity"}"#),
    (&[Reconnect], 422, r#"{"statusCode":422,"message":["companyId should not be empty"]}"#),
    (&[Exchange], 400, r#"{"error":"invalid_request","error_description":"Invalid parameter: `code`"}"#),
    (&[Refresh], 400, r#"{"error":"invalid_request","error_description":"Missing parameter: `refresh_token`"}"#),
    (&[Reconnect], 400, r#"{"message":"Invalid request"}"#),
];

#[test]
fn a_fault_of_every_request_is_distinguished_from_one_of_an_installation() {
    for (bodies, concerns_all) in [(OF_ALL, NonZeroU32::new(3)), (OF_ONE, None)] {
        for (stages, status, body) in bodies {
            let (kind, error_text) = error_text::error_text(body.as_bytes());
            for stage in *stages {
                let meaning = Answers::default().meaning_of(*stage, *status, kind, &error_text);
                let expected = Meaning { class: Class::InvalidRequest, concerns_all };
                assert_eq!(meaning, expected, "{stage} {status} {body}");
            }
        }
    }
}

#[test]
fn what_other_rows_know_concerns_no_others() {
    for (stage, status, error_text, class) in [
        (Refresh, 400, "Invalid grant: refresh token is invalid", Class::GrantRefused),
        (Exchange, 400, "invalid_grant", Class::GrantRefused),
        (Exchange, 401, "Invalid client credentials! UnAuthorized!", Class::ClientRefused),
        (Exchange, 400, "Invalid client: cannot retrieve client credentials", Class::ClientRefused),
        (Exchange, 400, "Unauthorized client: `grant_type` is invalid", Class::ClientRefused),
        (Reconnect, 400, "App is not installed on this location", Class::NotInstalled),
        (Reconnect, 400, "No installation found for this client id", Class::NotInstalled),
        (Reconnect, 400, "A new installation is required for client id x", Class::Unrecognised),
        (Reconnect, 400, "Location is not active", Class::LocationInactive),
        (Reconnect, 429, "client id: must be one of", Class::RateLimited),
        (Reconnect, 503, "Missing parameter: clientId", Class::ServerError),
    ] {
        let meaning = Answers::default().meaning_of(stage, status, Json, error_text);
        assert_eq!(meaning, Meaning { class, concerns_all: None }, "{stage} {status} {error_text}");
    }
}

#[test]
fn few_rows_concern_all_and_each_of_them_halts_for_one_class() {
    let concerning: Vec<_> = rows().filter(|row| row.concerns_all.is_some()).collect();
    assert_eq!(concerning.len(), 3, "keep the list as short as it can be");
    for row in concerning {
        assert_eq!((row.class, row.concerns_all), (Class::InvalidRequest, NonZeroU32::new(3)));
        assert!(!row.class.about().next_steps.is_empty(), "what is said when the run halts");
    }
    let own = "[[answer]]\nstatus = 418\nclass = \"unknown_id\"\nconcerns_all = 5\n";
    let meaning = Answers::parse(own).unwrap().meaning_of(Reconnect, 418, Json, "x");
    assert_eq!(meaning.concerns_all, NonZeroU32::new(5));
    assert!(Answers::parse(&own.replace('5', "0")).is_err());
}
