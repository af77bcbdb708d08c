//! A server with fixed answers, for the tests of this folder: what happens between two answers is the lab's business.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::{Value as Json, json};
use url::Url;

use crate::{
    model::{capability::Scheme, secret::Secret},
    wire::{Credential, Habits, Line, Reach},
};

/// Answers each path and query as it was told, and anything else with GitLab's 404.
pub(super) struct Served {
    url: Url,
    script: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    answers: BTreeMap<String, String>,
    /// What is answered the first time, where that is something else.
    once: BTreeMap<String, String>,
    requests: Vec<String>,
}

impl Served {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = Arc::clone(&script);
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(&stream.unwrap(), &shared);
            }
        });
        Self { url, script }
    }

    pub(super) fn answer(&self, target: &str, status: u16, body: &Json) {
        self.answer_with(target, status, &[], body);
    }

    pub(super) fn answer_with(&self, target: &str, status: u16, headers: &[(&str, &str)], body: &Json) {
        let text = answer(status, headers, body);
        self.script.lock().unwrap().answers.insert(target.to_owned(), text);
    }

    /// Answers so the next time, and then as it was told for always.
    pub(super) fn answer_once(&self, target: &str, status: u16, headers: &[(&str, &str)], body: &Json) {
        let text = answer(status, headers, body);
        self.script.lock().unwrap().once.insert(target.to_owned(), text);
    }

    /// Path and query of every request so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.script.lock().unwrap().requests.clone()
    }

    pub(super) fn line(&self) -> Line {
        Line::new(Reach {
            system: "gitlab".into(),
            url: self.url.clone(),
            credential: Credential::Token(Secret::new("token")),
            scheme: Scheme::Bearer,
            concurrency: 4,
            timeout: Duration::from_secs(10),
            habits: Habits::default(),
            route: crate::wire::Route::default(),
        })
        .unwrap()
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &Json) -> String {
    let body = body.to_string();
    let mut text = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.extend(["\r\n", &body]);
    text
}

fn serve(mut stream: &TcpStream, script: &Mutex<Script>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while reader.read_line(&mut head).unwrap() > 2 {}
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let text = {
        let mut script = script.lock().unwrap();
        let text = script.once.remove(&target).or_else(|| script.answers.get(&target).cloned());
        script.requests.push(target);
        text.unwrap_or_else(|| answer(404, &[], &json!({ "error": "404 Not Found" })))
    };
    stream.write_all(text.as_bytes()).unwrap();
}
