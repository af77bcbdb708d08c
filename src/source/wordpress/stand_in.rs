//! Tests only: a site on loopback that gives prepared answers and remembers what it was asked.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value as Json;

use crate::{
    model::{capability::Scheme, secret::Secret},
    wire::{Credential, Habits, Line, Reach},
};

/// One prepared answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(status: u16, body: &Json) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string() }
    }

    pub(super) fn page(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned() }
    }

    pub(super) fn error(status: u16, code: &str) -> Self {
        Self::json(
            status,
            &serde_json::json!({ "code": code, "message": "Entschuldigung.", "data": { "status": status } }),
        )
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What a real site answered.
    pub(super) fn recorded(name: &str) -> Self {
        let recording = recording(name);
        let response = &recording["response"];
        let is_of_the_transfer = |name: &str| ["connection", "content-length", "host"].contains(&name);
        let headers = response["headers"].as_array().unwrap().iter().map(|pair| (text(&pair[0]), text(&pair[1])));
        Self {
            status: response["status"].as_u64().unwrap().try_into().unwrap(),
            headers: headers.filter(|(name, _)| !is_of_the_transfer(&name.to_lowercase())).collect(),
            body: match (&response["body"], response["body_text"].as_str()) {
                (_, Some(text)) => text.to_owned(),
                (Json::Null, None) => String::new(),
                (body, None) => body.to_string(),
            },
        }
    }
}

/// A recording of a real exchange or delivery.
pub(super) fn recording(name: &str) -> Json {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/wordpress").join(format!("{name}.json"));
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

pub(super) fn text(value: &Json) -> String {
    value.as_str().unwrap().to_owned()
}

/// Answers until the test ends. A question is path and query as they were sent, decoded.
pub(super) struct StandIn {
    line: Line,
    asked: Arc<Mutex<Vec<String>>>,
}

impl StandIn {
    pub(super) fn serving(answer: impl Fn(&str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let memory = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let question = question(&stream);
                let told = answer(&question);
                memory.lock().unwrap().push(question);
                let headers: Vec<String> =
                    told.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                let head = format!("HTTP/1.1 {} -\r\nconnection: close\r\n{}", told.status, headers.concat());
                let whole = format!("{head}content-length: {}\r\n\r\n{}", told.body.len(), told.body);
                stream.write_all(whole.as_bytes()).unwrap();
            }
        });
        let line = Line::new(Reach {
            system: "website".into(),
            url,
            credential: Credential::Token(Secret::new("token")),
            scheme: Scheme::Bearer,
            concurrency: 4,
            timeout: Duration::from_secs(10),
            habits: Habits::default(),
            route: crate::wire::Route::default(),
        });
        Self { line: line.unwrap(), asked }
    }

    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn question(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut next = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let first = next();
    let headers: Vec<String> = std::iter::repeat_with(&mut next).take_while(|line| !line.is_empty()).collect();
    // Whoever does not ask for data is told of faults in pages (`wordpress.md` 1).
    let asks_for_data = |line: &String| line.to_lowercase() == "accept: application/json";
    assert_eq!(headers.iter().filter(|line| asks_for_data(line)).count(), 1, "{headers:?}");
    let target = first.split(' ').nth(1).unwrap();
    target.replace("%2F", "/").replace("%2C", ",")
}
