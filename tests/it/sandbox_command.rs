//! The sandbox as a process of its own.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Stdio},
};

use ghl_reconnect::sandbox::CATALOGUE;
use serde_json::Value;

use crate::support::{Launch, OwnTokens, Work, company, location, locations};

/// The process, ended with the test.
struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn start(work: &Work, args: &[&str]) -> Self {
        let mut command = work.program(["sandbox"]).args(args).command();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).launch();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let address = first.trim_end().strip_prefix("http://").expect("its URL first").to_owned();
        Self { child, address }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Status and body.
    fn ask(&self, request: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let host = &self.address;
        let length = body.len();
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: test\r\nConnection: close\r\n\
             {headers}Content-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn audit(&self) -> Value {
        serde_json::from_str(&self.ask("GET /_sandbox/audit", "", "").1).unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_says_where_it_is_and_serves_both_calls_and_the_audit() {
    let work = Work::new();
    let served = Served::start(&work, &[]);
    let json = "Content-Type: application/json\r\n";
    let asked = format!(r#"{{"clientKey":"c","clientSecret":"s","locationId":"{}"}}"#, location(1));
    let (status, body) = served.ask("POST /oauth/reconnect", json, &asked);
    assert_eq!(status, 200, "{body}");
    let code: Value = serde_json::from_str(&body).unwrap();
    let code = code["authorizationCode"].as_str().unwrap();
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let asked = format!("client_id=c&client_secret=s&grant_type=authorization_code&code={code}");
    let (status, body) = served.ask("POST /oauth/token", form, &asked);
    assert_eq!(status, 200, "{body}");
    let tokens: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(tokens["locationId"], location(1));
    let (status, _) = served.ask("POST /oauth/token", form, &asked);
    assert_eq!(status, 401, "a code is good once");
    let audit = served.audit();
    assert_eq!(audit["requests"].as_array().unwrap().len(), 3);
    assert_eq!(audit["codes"][0]["code"], code);
}

#[test]
fn it_knows_the_tokens_and_the_locations_of_its_files() {
    let work = Work::new();
    let (own, agency) = (location(1), company(1));
    let stored = work.file(
        "stored.jsonl",
        format!(
            "{{\"companyId\":\"{agency}\",\"access_token\":\"a\"}}\n\
             {{\"locationId\":\"{own}\",\"refresh_token\":\"r\",\"refresh\":\"dead\"}}\n"
        ),
    );
    let listed = format!("{{\"_id\":\"{own}\",\"companyId\":\"{agency}\"}}\n");
    let installed = work.file("installed.jsonl", listed);
    let [stored, installed] = [stored, installed].map(|path| path.to_str().unwrap().to_owned());
    let served = Served::start(&work, &["--stored", &stored, "--installed", &installed]);
    let bearer = "Authorization: Bearer a\r\nVersion: 2021-07-28\r\n";
    let list = format!("GET /oauth/installedLocations?companyId={agency}&appId=app");
    let (status, page) = served.ask(&list, bearer, "");
    assert!(status == 200 && page.contains(&own), "{page}");
    let form = format!("{bearer}Content-Type: application/x-www-form-urlencoded\r\n");
    let asked = format!("companyId={agency}&locationId={own}");
    assert_eq!(served.ask("POST /oauth/locationToken", &form, &asked).0, 201);
    let asked = "client_id=c&client_secret=s&grant_type=refresh_token&refresh_token=r";
    assert_eq!(served.ask("POST /oauth/token", &form, asked).0, 400);
    drop(served);
    let ran = work.program(["sandbox", "--installed", &stored]).go().expect(2);
    assert!(ran.stderr.contains("--installed") && ran.stderr.contains("line 1"), "{}", ran.stderr);
}

#[test]
fn a_run_works_against_it() {
    let work = Work::new();
    let served = Served::start(&work, &["--faults", "exchange:server_error=10%", "--seed", "7"]);
    let list = work.file("list.csv", locations(20));
    let ran = work.run(list, &served.url()).go().expect(0);
    ran.assert_sound(&OwnTokens(&ran));
    assert_eq!(ran.count("recovered"), 20);
    let audit = served.audit();
    let met = audit["requests"].as_array().unwrap().iter().filter(|seen| seen["status"] == 500);
    let codes = audit["codes"].as_array().unwrap();
    assert_eq!(codes.len(), 20 + met.count(), "a new code after each fault");
    assert!(codes.len() > 20, "there were faults");
}

#[test]
fn it_listens_on_loopback_only() {
    let work = Work::new();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let ran = work.program(["sandbox", "--listen", address]).go().expect(2);
        assert!(ran.stderr.contains("loopback"), "{address}: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn it_lists_its_faults() {
    let work = Work::new();
    let list = work.program(["sandbox", "--list-faults"]).go().expect(0).stdout;
    for known in CATALOGUE {
        let line = list.lines().find(|line| {
            line.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == known.name)
        });
        assert!(line.is_some_and(|line| line.contains(known.meaning)), "{}", known.name);
    }
}

#[cfg(unix)]
#[test]
fn it_ends_in_order_on_an_interrupt() {
    let work = Work::new();
    let mut served = Served::start(&work, &[]);
    crate::support::signal(&served.child, "-INT");
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
}
