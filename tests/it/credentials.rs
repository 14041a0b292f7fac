//! Where the client id and secret come from, and what is refused.

use crate::support::{
    CLIENT_ID, CLIENT_SECRET, MockServer, NoServer, Run, ScriptedServer, Work, locations,
};

const OTHER_ID: &str = "0123456789abcdef01234567-m1zzzzzz";
const OTHER_SECRET: &str = "11111111-2222-4333-8444-555555555555";

/// The client id and secret that arrive.
fn arrived(work: &Work, out: &str, change: impl FnOnce(Run) -> Run) -> [String; 2] {
    let server = ScriptedServer::good();
    let list = work.file("list.csv", locations(1));
    let run = work.run_into(out, list, &server.url()).without_credentials();
    change(run).go().expect(0).assert_sound(&server);
    let body = server.seen()[0].json();
    ["clientKey", "clientSecret"].map(|field| body[field].as_str().unwrap().to_owned())
}

#[test]
fn credentials_come_from_the_environment_a_file_or_standard_input() {
    let work = Work::new();
    let pair = [CLIENT_ID, CLIENT_SECRET];
    let env = work.file(
        "app.env",
        format!(
            "# the app\nexport GHL_CLIENT_ID={CLIENT_ID}\nGHL_CLIENT_SECRET=\"{CLIENT_SECRET}\"\n"
        ),
    );
    let secret = work.file("secret", format!("{CLIENT_SECRET}\r\n"));
    let with_id = |run: Run| run.args(["--client-id", CLIENT_ID]);
    assert_eq!(arrived(&work, "1", Run::credentials), pair);
    assert_eq!(arrived(&work, "2", |run| run.arg("--env-file").arg(&env)), pair);
    let by_file = |run| with_id(run).arg("--client-secret-file").arg(&secret);
    assert_eq!(arrived(&work, "3", by_file), pair);
    let by_input = |run| with_id(run).args(["--client-secret-file", "-"]).input(CLIENT_SECRET);
    assert_eq!(arrived(&work, "4", by_input), pair);
}

#[test]
fn what_was_named_just_now_goes_before_the_environment() {
    let work = Work::new();
    let env = work.file("app.env", format!("GHL_CLIENT_ID={OTHER_ID}\n"));
    let file = |run: Run| run.credentials().arg("--env-file").arg(&env);
    assert_eq!(arrived(&work, "1", file), [OTHER_ID, CLIENT_SECRET]);
    let flag = |run: Run| file(run).args(["--client-id", CLIENT_ID]);
    assert_eq!(arrived(&work, "2", flag), [CLIENT_ID, CLIENT_SECRET]);
    let secret = work.file("secret", OTHER_SECRET);
    let secret = |run: Run| run.credentials().arg("--client-secret-file").arg(&secret);
    assert_eq!(arrived(&work, "3", secret), [CLIENT_ID, OTHER_SECRET]);
}

/// A run that is refused before it begins; what it says.
#[track_caller]
fn refused(work: &Work, change: impl FnOnce(Run) -> Run) -> String {
    let server = MockServer::good();
    let list = work.file("list.csv", locations(1));
    let ran = change(work.run(list, &server.url()).without_credentials()).go().expect(2);
    assert_eq!(server.requests(), 0);
    assert!(!ran.folder.exists());
    assert_eq!(ran.stdout, "");
    ran.stderr
}

#[test]
fn missing_credentials_are_asked_for_by_every_name_they_have() {
    let work = Work::new();
    let said = refused(&work, |run| run.env("GHL_CLIENT_SECRET", CLIENT_SECRET));
    for name in ["client id", "--client-id", "GHL_CLIENT_ID", "--env-file"] {
        assert!(said.contains(name), "{name}: {said}");
    }
    for with_empty in [false, true] {
        let said = refused(&work, |run| {
            let run = run.env("GHL_CLIENT_ID", CLIENT_ID);
            if with_empty { run.env("GHL_CLIENT_SECRET", "") } else { run }
        });
        for name in ["client secret", "GHL_CLIENT_SECRET", "--env-file", "--client-secret-file"] {
            assert!(said.contains(name), "{name}: {said}");
        }
    }
}

#[test]
fn what_was_pasted_along_is_named_and_the_value_is_not_shown() {
    let work = Work::new();
    for (value, named) in [
        (format!("{CLIENT_SECRET},"), "comma"),
        (format!("\"{CLIENT_SECRET}\""), "quote"),
        (format!("'{CLIENT_SECRET}"), "quote"),
        (format!(" {CLIENT_SECRET}"), "blank"),
        (format!("{CLIENT_SECRET}\n"), "blank"),
        (format!("{CLIENT_SECRET};"), "semicolon"),
        (CLIENT_SECRET.replace('-', " "), "blank"),
    ] {
        let said = refused(&work, |run| run.credentials().env("GHL_CLIENT_SECRET", &value));
        assert!(said.contains("client secret") && said.contains(named), "{value:?}: {said}");
        assert!(!said.contains(&CLIENT_SECRET[..8]), "the value is not shown: {said}");
    }
    let id = format!("{CLIENT_ID},");
    let said = refused(&work, |run| run.credentials().args(["--client-id", &id]));
    assert!(said.contains("client id") && said.contains("comma"), "{said}");
}

#[test]
fn an_odd_client_id_is_a_warning() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(1));
    let run = work.run(list, &server.url()).args(["--client-id", "my-app"]);
    let ran = run.go().expect(0);
    ran.assert_sound(&server);
    assert!(ran.stderr.contains("warning: client id my-app"), "{}", ran.stderr);
}

#[test]
fn no_flag_takes_the_secret_itself() {
    let work = Work::new();
    for command in ["run", "check"] {
        let help = work.program([command, "--help"]).go().expect(0).stdout;
        let flags = help.split_whitespace().filter(|word| word.starts_with("--"));
        let secret: Vec<_> = flags.filter(|flag| flag.contains("secret")).collect();
        assert_eq!(secret, ["--client-secret-file"]);
        for flag in ["--client-secret", "--secret"] {
            let arg = format!("{flag}={CLIENT_SECRET}");
            let ran = work.program([command, "list.csv", &arg]).go().expect(2);
            assert!(!ran.stdout.contains(CLIENT_SECRET));
        }
    }
}

#[test]
fn an_unusable_file_of_secrets_is_named_and_not_shown() {
    let work = Work::new();
    let bad = work.file("bad.env", format!("GHL_CLIENT_ID=x\n{CLIENT_SECRET}\n"));
    let said = refused(&work, |run| run.arg("--env-file").arg(&bad));
    assert!(said.contains("bad.env, line 2"), "{said}");
    assert!(!said.contains(CLIENT_SECRET), "{said}");
    let said = refused(&work, |run| run.args(["--env-file", "nowhere.env"]));
    assert!(said.contains("--env-file") && said.contains("nowhere.env"), "{said}");
    let said = refused(&work, |run| run.credentials().args(["--client-secret-file", "nowhere"]));
    assert!(said.contains("--client-secret-file") && said.contains("nowhere"), "{said}");
}

#[test]
fn the_list_and_the_secret_cannot_both_come_from_standard_input() {
    let work = Work::new();
    let run = work.run("-", "http://127.0.0.1:9").args(["--client-secret-file", "-"]);
    let ran = run.input(locations(1)).go().expect(2);
    assert!(ran.stderr.contains("standard input"), "{}", ran.stderr);
}

#[test]
fn the_secret_goes_to_no_address_that_is_not_secure() {
    let work = Work::new();
    let list = work.file("list.csv", locations(1));
    for url in [
        "http://services.leadconnectorhq.com",
        "http://192.0.2.1",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "ftp://127.0.0.1",
        "https://user:word@127.0.0.1",
        "https://127.0.0.1/?a=b",
        "127.0.0.1",
        "",
    ] {
        let ran = work.run(&list, url).go().expect(2);
        assert!(ran.stderr.contains("--base-url"), "{url}: {}", ran.stderr);
        assert!(!ran.folder.exists(), "{url}");
    }
}

#[test]
fn loopback_over_http_is_allowed_under_each_of_its_names() {
    let work = Work::new();
    let list = work.file("list.csv", locations(1));
    for (n, host) in ["localhost", "127.0.0.1", "LOCALHOST"].into_iter().enumerate() {
        let server = MockServer::good();
        let url = server.url().replace("127.0.0.1", host);
        let ran = work.run_into(&n.to_string(), &list, &url).go().expect(0);
        ran.assert_sound(&server);
    }
}

#[test]
fn a_proxy_of_the_environment_sees_nothing_of_a_loopback_address() {
    let (work, server, proxy) = (Work::new(), MockServer::good(), ScriptedServer::good());
    let list = work.file("list.csv", locations(1));
    let mut run = work.run(list, &server.url());
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"] {
        run = run.env(name, proxy.url());
    }
    run.go().expect(0).assert_sound(&server);
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn a_plain_answer_of_another_protocol_is_no_success() {
    let work = Work::new();
    let server = ScriptedServer::answering(|_, _, _| {
        crate::support::Reply::Bytes(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec())
    });
    let list = work.file("list.csv", locations(1));
    let ran = work.run(list, &server.url()).args(["--attempts", "1"]).go().expect(3);
    ran.assert_sound(&NoServer);
}

#[test]
fn an_id_and_a_secret_that_were_swapped_are_refused_and_not_shown() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(2));
    for (id, secret) in [(CLIENT_SECRET, CLIENT_ID), (CLIENT_SECRET, CLIENT_SECRET)] {
        let run = work.run(&list, &server.url()).without_credentials();
        let ran = run.env("GHL_CLIENT_ID", id).env("GHL_CLIENT_SECRET", secret).go().expect(2);
        assert!(!ran.stderr.contains(CLIENT_SECRET), "{}", ran.stderr);
        assert!(!ran.folder.exists());
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_list_that_holds_the_client_secret_is_refused_before_anything_is_written() {
    let (work, server) = (Work::new(), MockServer::good());
    let list =
        format!("location_id,note\nLoc00000000000000001,x\nLoc00000000000000009,{CLIENT_SECRET}\n");
    let list = work.file("list.csv", list);
    let ran = work.run(list, &server.url()).go().expect(2);
    assert!(ran.stderr.contains("line 3: holds the app's client secret"), "{}", ran.stderr);
    assert!(!ran.stderr.contains(CLIENT_SECRET), "{}", ran.stderr);
    assert!(!ran.folder.exists());
    assert_eq!(server.requests(), 0);
}
