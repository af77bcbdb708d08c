//! A server whose answers a test decides, one connection for each request, down to the bytes.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

/// One request, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query, as sent.
    pub(crate) target: String,
    /// By lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// `PUT /api/v4/users/42`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn is_read(&self) -> bool {
        self.method == "GET" || SEARCHES.contains(&self.line().as_str())
    }
}

/// The requests that are no GET and change nothing, as the contracts list them.
pub(crate) const SEARCHES: &[&str] = &[
    "POST /api/v4/users/ids",
    "POST /api/v4/users/usernames",
    "POST /v2/users",
    "POST /zitadel.user.v2.UserService/GetUserByID",
    "POST /zitadel.user.v2.UserService/ListUsers",
    "POST /management/v1/users/_search",
    "POST /auth/v1/permissions/zitadel/me/_search",
    "POST /oauth/v2/token",
];

/// What the server does with a request.
pub(crate) enum Answer {
    /// Status, further headers, body.
    Reply(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// These bytes and then the end of the connection.
    Bytes(Vec<u8>),
    /// A body of so many bytes, without a length.
    Flood(usize),
    /// Nothing, for as long as the caller waits.
    Silence,
    /// The end of the connection.
    Close,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json", &body.to_string())
    }

    pub(crate) fn text(status: u16, kind: &str, body: &str) -> Self {
        Self::Reply(status, vec![("content-type", kind.to_owned())], body.as_bytes().to_vec())
    }
}

type Behaviour = dyn Fn(&Request) -> Answer + Send + Sync;

/// A server that runs as long as the test.
pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Request>>>,
    behaviour: Arc<Mutex<Arc<Behaviour>>>,
    events: Mutex<Receiver<Request>>,
}

impl Server {
    /// A server that behaves like that.
    pub(crate) fn start(behaviour: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let behaviour: Arc<Mutex<Arc<Behaviour>>> = Arc::new(Mutex::new(Arc::new(behaviour)));
        let (tell, events) = channel();
        let (shared_seen, shared_behaviour) = (Arc::clone(&seen), Arc::clone(&behaviour));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), tell) = (stream, tell.clone()) else { continue };
                let (seen, behaviour) = (Arc::clone(&shared_seen), Arc::clone(&shared_behaviour));
                thread::spawn(move || serve(stream, &seen, &behaviour, &tell));
            }
        });
        Self { url, seen, behaviour, events: Mutex::new(events) }
    }

    /// A server that hands everything on to another one and tells what passed.
    pub(crate) fn before(upstream: &str) -> Self {
        let upstream = upstream.to_owned();
        Self::start(move |request| forward(&upstream, request))
    }

    /// Behaves otherwise from now on.
    pub(crate) fn behave(&self, behaviour: impl Fn(&Request) -> Answer + Send + Sync + 'static) {
        *self.behaviour.lock().unwrap() = Arc::new(behaviour);
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// Method and path of every request that is more than a look.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.requests().iter().filter(|request| !request.is_read()).map(Request::line).collect()
    }

    pub(crate) fn forget(&self) {
        self.seen.lock().unwrap().clear();
        while self.events.lock().unwrap().try_recv().is_ok() {}
    }

    /// Waits until so many writes have come in since the last `forget`; false where they do not come.
    pub(crate) fn await_writes(&self, count: usize) -> bool {
        let events = self.events.lock().unwrap();
        let mut writes = 0;
        while writes < count {
            match events.recv_timeout(Duration::from_secs(20)) {
                Ok(request) => writes += usize::from(!request.is_read()),
                Err(_) => return false,
            }
        }
        true
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Request>>, behaviour: &Mutex<Arc<Behaviour>>, tell: &Sender<Request>) {
    let Some(request) = read(&stream) else { return };
    seen.lock().unwrap().push(request.clone());
    let _ = tell.send(request.clone());
    let behaviour = Arc::clone(&behaviour.lock().unwrap());
    let answer = behaviour(&request);
    // A caller that has gone away is what some tests are about.
    let _ = match answer {
        Answer::Reply(status, headers, body) => {
            let mut text = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in headers {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            text.push_str("\r\n");
            stream.write_all(text.as_bytes()).and_then(|()| stream.write_all(&body))
        }
        Answer::Bytes(bytes) => stream.write_all(&bytes),
        Answer::Flood(size) => flood(&mut stream, size),
        Answer::Silence => {
            let _ = stream.read(&mut [0; 1]);
            Ok(())
        }
        Answer::Close => Ok(()),
    };
}

fn flood(stream: &mut TcpStream, size: usize) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\n\r\n[")?;
    let chunk = vec![b' '; 1 << 20];
    for _ in 0..size / chunk.len() {
        stream.write_all(&chunk)?;
    }
    Ok(())
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while reader.read_line(&mut head).ok()? > 2 {}
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, target, headers, body })
}

/// Hands a request on and gives the answer, whole.
pub(crate) fn forward(upstream: &str, request: &Request) -> Answer {
    let Ok(mut stream) = TcpStream::connect(upstream.trim_start_matches("http://")) else { return Answer::Close };
    let mut text = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    let kept = request.headers.iter().filter(|(name, _)| *name != "connection");
    for (name, value) in kept {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("connection: close\r\n\r\n");
    let mut answer = Vec::new();
    let done = stream
        .write_all(text.as_bytes())
        .and_then(|()| stream.write_all(&request.body))
        .and_then(|()| stream.read_to_end(&mut answer));
    match done {
        Ok(_) => Answer::Bytes(answer),
        Err(_) => Answer::Close,
    }
}

/// Hands a request on and gives the answer with its JSON changed.
pub(crate) fn forward_changed(upstream: &str, request: &Request, change: impl FnOnce(&mut Value)) -> Answer {
    let Answer::Bytes(bytes) = forward(upstream, request) else { return Answer::Close };
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let Ok(mut body) = serde_json::from_slice::<Value>(&bytes[end + 4..]) else { return Answer::Bytes(bytes) };
    change(&mut body);
    let body = body.to_string();
    let kept = head.lines().filter(|line| !line.to_lowercase().starts_with("content-length"));
    let head = kept.collect::<Vec<_>>().join("\r\n");
    Answer::Bytes(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes())
}
