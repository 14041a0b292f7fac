//! A mock server that shares nothing with the sandbox: a socket, a thread for each connection,
//! bodies of its own. It keeps every request as it came, and can break off where it likes.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

use serde_json::{Value, json};

use super::{Observed, Observer};

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn is_reconnect(&self) -> bool {
        self.path.ends_with("/oauth/reconnect")
    }

    /// The location that a reconnect is for; nothing at an exchange.
    pub(crate) fn json_id(&self) -> Option<String> {
        self.is_reconnect().then(|| self.json()["locationId"].as_str().unwrap().to_owned())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// A field of a form, decoded.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let pairs = self.body.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| decoded(value)).next()
    }
}

fn decoded(value: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), value.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

/// What is done about a request.
pub(crate) enum Reply {
    /// A whole answer.
    Json(u16, Value),
    /// A whole answer as it goes over the wire.
    Whole(Vec<u8>),
    /// These bytes as they are, then the connection is closed.
    Bytes(Vec<u8>),
    /// The connection is closed without a word.
    Close,
}

/// Answers the n-th request, counted from 0.
type Script = dyn Fn(&Issuer, usize, &Seen) -> Reply + Send + Sync;

/// What was handed out, and to whom.
#[derive(Default)]
pub(crate) struct Issuer {
    state: Mutex<RunState>,
    mark: AtomicBool,
}

#[derive(Default)]
struct RunState {
    /// Code → (scope, id).
    codes: Vec<(String, (String, String))>,
    presented: Vec<String>,
    tokens: Vec<String>,
    live: HashMap<(String, String), (String, String)>,
}

impl Issuer {
    /// A code, as a reconnect gets it.
    pub(crate) fn code(&self, seen: &Seen) -> Value {
        let body = seen.json();
        let who = match (body["locationId"].as_str(), body["companyId"].as_str()) {
            (Some(id), None) => ("location".to_owned(), id.to_owned()),
            (None, Some(id)) => ("company".to_owned(), id.to_owned()),
            _ => panic!("one id, in {body}"),
        };
        let mut state = self.state.lock().unwrap();
        let serial = state.codes.len();
        let code = format!("c0de{serial:036x}");
        state.codes.push((code.clone(), who));
        json!({
            "authorizationCode": code,
            "expiresAt": "2099-01-01T00:00:00.000Z",
            "traceId": format!("trace-code-{serial}"),
        })
    }

    /// A token pair, as an exchange gets it. The code is looked up, and used up.
    pub(crate) fn tokens(&self, seen: &Seen) -> Value {
        let code = seen.field("code").expect("a code");
        let mut state = self.state.lock().unwrap();
        state.presented.push(code.clone());
        let serial = state.codes.iter().position(|(known, _)| *known == code).expect("our code");
        let who = state.codes[serial].1.clone();
        let pair = [format!("access-{serial:024}"), format!("refresh-{serial:024}")];
        state.tokens.extend(pair.clone());
        let [access, refresh] = pair;
        state.live.insert(who.clone(), (access.clone(), refresh.clone()));
        let (scope, id) = who;
        let mut body = json!({
            "access_token": access, "refresh_token": refresh, "token_type": "Bearer",
            "expires_in": 86399, "scope": "contacts.readonly", "refreshTokenId": "r1",
            "userId": "u1", "planId": "p1", "traceId": format!("trace-token-{serial}"),
        });
        let ids = match scope.as_str() {
            "location" => {
                json!({"userType": "Location", "locationId": id, "companyId": "Owner0000000000000000"})
            }
            _ => json!({"userType": "Company", "companyId": id}),
        };
        body.as_object_mut().unwrap().extend(ids.as_object().unwrap().clone());
        body
    }

    /// The id for which a code was handed out.
    pub(crate) fn owner(&self, code: &str) -> Option<String> {
        let state = self.state.lock().unwrap();
        state.codes.iter().find(|(known, _)| known == code).map(|(_, (_, id))| id.clone())
    }

    /// Notes that a code was presented, to no avail.
    pub(crate) fn present(&self, seen: &Seen) {
        self.state.lock().unwrap().presented.push(seen.field("code").expect("a code"));
    }

    /// Whether the test has set its mark: a word from the test to the script.
    pub(crate) fn is_marked(&self) -> bool {
        self.mark.load(Ordering::SeqCst)
    }

    /// The usual answer to either call.
    pub(crate) fn answer(&self, seen: &Seen) -> Reply {
        Reply::Json(200, if seen.is_reconnect() { self.code(seen) } else { self.tokens(seen) })
    }
}

/// The mock server at work.
pub(crate) struct ScriptedServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    script: Box<Script>,
    issuer: Issuer,
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    over: AtomicBool,
}

impl ScriptedServer {
    /// Answers as the API should.
    pub(crate) fn good() -> Self {
        Self::answering(|issuer, _, seen| issuer.answer(seen))
    }

    pub(crate) fn answering(
        script: impl Fn(&Issuer, usize, &Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            issuer: Issuer::default(),
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        Self::listening(listener, shared)
    }

    fn listening(listener: TcpListener, shared: Arc<Shared>) -> Self {
        let address = listener.local_addr().unwrap();
        let accepted = Arc::clone(&shared);
        let accepting = thread::spawn(move || accept(&listener, &accepted));
        Self { address, shared, accepting: Some(accepting) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Sets the mark that the script can see.
    pub(crate) fn mark(&self) {
        self.shared.issuer.mark.store(true, Ordering::SeqCst);
    }

    /// Stops listening: who connects from now on is refused.
    pub(crate) fn close(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            self.shared.over.store(true, Ordering::SeqCst);
            // Wakes the thread that accepts; it counts no connection any more.
            drop(TcpStream::connect(self.address));
            accepting.join().unwrap();
        }
    }

    /// Listens again, at the same address.
    pub(crate) fn reopen(&mut self) {
        self.close();
        self.shared.over.store(false, Ordering::SeqCst);
        let listener = TcpListener::bind(self.address).unwrap();
        let shared = Arc::clone(&self.shared);
        self.accepting = Some(thread::spawn(move || accept(&listener, &shared)));
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.close();
    }
}

impl Observer for ScriptedServer {
    fn observed(&self) -> Observed {
        let state = self.shared.issuer.state.lock().unwrap();
        let mut presented = state.presented.clone();
        presented.sort();
        let twice = presented.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0].clone());
        Observed {
            codes: state.codes.iter().map(|(code, _)| code.clone()).collect(),
            tokens: state.tokens.clone(),
            presented_twice: twice.collect(),
            live: state.live.clone(),
            ..Observed::default()
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.over.load(Ordering::SeqCst) {
            return;
        }
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(shared);
        thread::spawn(move || serve(&stream.unwrap(), &shared));
    }
}

/// Serves a connection until either side has enough of it.
fn serve(stream: &TcpStream, shared: &Shared) {
    let mut input = BufReader::new(stream.try_clone().unwrap());
    while let Some(seen) = read(&mut input) {
        let number = {
            let mut all = shared.seen.lock().unwrap();
            all.push(seen.clone());
            all.len() - 1
        };
        let mut output = stream;
        let answer = match (shared.script)(&shared.issuer, number, &seen) {
            Reply::Json(status, body) => whole(status, &[], &body.to_string()),
            Reply::Whole(answer) => answer,
            Reply::Bytes(bytes) => {
                // The client may have had enough of it before the end.
                let _ = output.write_all(&bytes);
                return;
            }
            Reply::Close => return,
        };
        if output.write_all(&answer).is_err() {
            return;
        }
    }
}

/// An answer as it goes over the wire.
pub(crate) fn whole(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} So\r\nContent-Type: application/json\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn read(input: &mut impl BufRead) -> Option<Seen> {
    let mut line = String::new();
    input.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        input.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok()?;
    Some(Seen { method, path, headers, body: String::from_utf8(body).unwrap() })
}
