//! Not one byte of a list's secrets gets out: whatever their columns are called, however they are
//! nested, escaped or shifted.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use serde_json::json;

use crate::support::{MockServer, Ran, Work, company, entries, location};

/// Secrets of the shapes that lists have.
fn secrets() -> Vec<String> {
    let claims = json!({ "authClass": "Location", "authClassId": location(900), "exp": 1 });
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    vec![
        format!("eyJhbGciOiJSUzI1NiJ9.{claims}.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"),
        "kR7pQ2xv9TzL4mWc8YbN3hJd-5gFs_6aVu0Xe1Zq2Ir".into(),
        "q8W/2xv9TzL4+mWc8YbN3hJd5gFs6aVu0Xe1Zq2Ir==".into(),
        "live-refresh-token-of-0017-77".into(),
        "9f8e7d6c5b4a39281706f5e4d3c2b1a098765432".into(),
        "gAAAAABlZm9vYmFyYmF6cXV4Zm9v9Kq2Lw7Zt4Xn".into(),
    ]
}

fn json_escaped(secret: &str) -> String {
    secret.replace('=', "\\u003d").replace('/', "\\/").replace('-', "\\u002D")
}

fn percent(secret: &str) -> String {
    secret.bytes().fold(String::new(), |text, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => text + &char::from(byte).to_string(),
        _ => text + &format!("%{byte:02X}"),
    })
}

/// Pieces of a secret that stand in none of its innocent neighbours, as they are and encoded.
fn pieces(secret: &str) -> Vec<String> {
    let tail = &secret[secret.len() - 12..];
    let middle = &secret[secret.len() / 2..secret.len() / 2 + 10];
    let base64 = |shift: usize| {
        let text = "x".repeat(shift) + secret;
        let encoded = STANDARD_NO_PAD.encode(text);
        encoded[encoded.len() / 2..encoded.len() - 4].to_owned()
    };
    let plain = [tail, middle].map(str::to_owned);
    let all = [tail, middle].map(json_escaped).into_iter().chain([tail, middle].map(percent));
    plain.into_iter().chain(all).chain((0..3).map(base64)).collect()
}

#[track_caller]
fn assert_nothing_got_out(what: &str, ran: &Ran, secret: &str) {
    assert_ne!(ran.code, 5, "{what}: {}", ran.stderr);
    let is_for_tokens = |name: &String| {
        ["tokens.jsonl", "quarantine.jsonl", "replaced.jsonl"].contains(&name.as_str())
    };
    let names = ran.folder.exists().then(|| entries(&ran.folder));
    let files = names.into_iter().flatten().filter(|name| !is_for_tokens(name));
    let mut texts: Vec<_> = files.map(|name| (name.clone(), ran.text(&name))).collect();
    texts.push(("stdout".into(), ran.stdout.clone()));
    texts.push(("stderr".into(), ran.stderr.clone()));
    for (name, text) in texts {
        let text = text.to_lowercase();
        for piece in pieces(secret) {
            assert!(!text.contains(&piece.to_lowercase()), "{what}: {name}: {piece}\n{text}");
        }
    }
}

/// Lists in which the secret stands somewhere, each with what was done to it.
fn lists(secret: &str) -> Vec<(String, String)> {
    let (a, b, c) = (location(1), location(2), company(1));
    let good = "opaque-0-0123456789abcdef";
    let quoted = |text: &str| text.replace('"', "\"\"");
    let (escaped, encoded) = (json_escaped(secret), percent(secret));
    let wrapped = STANDARD.encode(secret);
    let names = [
        "ghl_refresh",
        "hl_rt",
        "oauth_access",
        "accessTok",
        "rt",
        "Refresh Token (live)",
        "token_value",
        "locationRefresh",
        "api key",
        "oauth.data.refresh",
        "creds",
    ];
    let mut lists: Vec<(String, String)> = Vec::new();
    let mut add = |what: &str, list: String| lists.push((what.to_owned(), list));
    for name in names {
        add(name, format!("location_id,{name},notes\n{a},{secret},was {secret}\n?,{secret},x\n"));
        let nested =
            json!([{ "locationId": a, "crm": { "deep": [{ name: secret }] }, "b": secret }]);
        add(name, nested.to_string());
        add(
            name,
            json!({ "locationId": a, name: { "value": secret, "scope": "a.b" } }).to_string(),
        );
    }
    let data = json!({ "data": { "ghlRefresh": secret } }).to_string();
    add("JSON", json!({ "locationId": a, "data": { "ghlRefresh": secret } }).to_string());
    add("JSON in a text", json!({ "locationId": a, "meta": data }).to_string());
    add("JSON in a cell", format!("location_id,meta\n{a},\"{}\"\n", quoted(&data)));
    add(
        "escaped",
        format!("{{\"locationId\":\"{a}\",\"rt\":\"{escaped}\",\"x\":\"{escaped}\"}}\n"),
    );
    add(
        "escaped in a cell",
        format!("location_id,meta,n\n{a},\"{{\"\"hl_rt\"\":\"\"{escaped}\"\"}}\",{escaped}\n"),
    );
    add("escaped beside", format!("location_id,rt,n\n{a},{secret},is {escaped}\n"));
    add("encoded beside", format!("location_id,rt,n\n{a},{secret},x={encoded}\n"));
    add("base64 beside", format!("location_id,rt,n\n{a},{secret},is {wrapped}\n"));
    add("base64", format!("location_id,rt,n\n{a},{wrapped},x\n"));
    add("in a query", format!("location_id,n\n{a},https://x.example/?refresh_token={encoded}\n"));
    add("in a note", format!("location_id,n\n{a},\"refresh_token: {secret}, keep\"\n"));
    add("ids", format!("location_id,n\n{secret},x\n{a},y\n"));
    add("agencies", format!("location_id,company_id\n{a},{secret}\n{b},{c}\n"));
    add("a url", format!("location_id,n\nhttps://x.example/{encoded},x\n{a},y\n"));
    add("a cell too few", format!("location_id,name,rt\n{b},x,{good}\n{a},{secret}\n"));
    add("a cell too many", format!("location_id,rt,name\n{b},{good},x\n{a},,x,{secret}\n"));
    add("an empty cell", format!("location_id,rt,name\n{b},{good},x\n{a},,{secret}\n"));
    add("columns swapped", format!("location_id,rt,name\n{b},{good},x\nx,{a},{secret}\n{a},y,z\n"));
    add("a column without a name", format!("location_id,\n{a},{secret}\n"));
    add("no header", format!("{a},{secret}\n{b},{secret}\n"));
    add("a header of secrets", format!("{secret},x\n1,2\n"));
    add("a broken line", format!("{{\"locationId\":\"{a}\"}}\n{{\"rt\":\"{escaped}\", oops\n"));
    add("a broken row", format!("location_id,rt\n{a},x\n{b},\"{secret}\n"));
    add("a row of JSON", format!("location_id,rt\n{a},x\n{{\"rt\":\"{escaped}\"}},x\n"));
    add("uninstalled", json!({ "type": "UNINSTALL", "locationId": a, "rt": secret }).to_string());
    add("an app", format!("location_id,app\n{a},{secret}\n"));
    lists
}

#[test]
fn not_one_byte_of_a_secret_gets_out_whatever_its_place_name_or_escape() {
    let server = MockServer::faulty(&json!({ "*": ["unknown_id*"] }));
    let work = Work::new();
    for (n, secret) in secrets().into_iter().enumerate() {
        for (m, (what, list)) in lists(&secret).into_iter().enumerate() {
            let file = work.file("list", &list);
            let out = format!("run-{n}-{m}");
            let ran = work.run_into(&out, &file, &server.url()).arg("-v").go();
            assert_nothing_got_out(&format!("{what}: {list}"), &ran, &secret);
            let args = ["--no-header", "--id-column", "1", "-v"];
            if what == "no header" {
                let out = format!("numbered-{n}");
                let ran = work.run_into(&out, &file, &server.url()).args(args).go();
                assert_eq!(ran.failures().len(), 2, "{}", ran.stderr);
                assert_nothing_got_out(&format!("numbered: {list}"), &ran, &secret);
            }
        }
    }
}

#[test]
fn innocent_columns_are_carried_and_a_secret_of_any_row_is_looked_for() {
    let (work, server) = (Work::new(), MockServer::faulty(&json!({ "*": ["unknown_id*"] })));
    let names = "location_id,Hot Prospect,Not Paid,Secretary,token_expires_at,Access Level";
    let list = work.file("list.csv", format!("{names}\n{},1,2,3,4,5\n", location(1)));
    let ran = work.run(list, &server.url()).go().expect(1);
    assert!(ran.header("failures.csv").starts_with(&format!("{names},status")));
    drop(work);
    // What the server says holds the secret of a row that is rejected: it is found all the same.
    let token = "The-Key-Of-A-Row-That-Is-Rejected-0001";
    let highlevel = crate::support::ScriptedServer::answering(move |_, _, _| {
        let message = json!({ "message": format!("App is not installed: {token}") });
        crate::support::Reply::Json(400, message)
    });
    let work = Work::new();
    let list = work.file("list.csv", format!("location_id,hl_rt\n{},\n?,{token}\n", location(1)));
    let ran = work.run(list, &highlevel.url()).go().expect(5);
    assert!(!ran.stdout.contains(token), "{}", ran.stdout);
}
