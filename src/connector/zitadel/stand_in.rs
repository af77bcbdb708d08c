//! Tests only: a server on loopback that gives prepared answers and remembers what it was asked.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value as Json;

use crate::{
    model::{capability::Scheme, secret::Secret},
    wire::{Credential, Habits, Line, Reach},
};

/// Answers until it is dropped; a request's line is `GET /path`, with the organization of its header behind it.
pub(super) struct StandIn {
    line: Line,
    asked: Arc<Mutex<Vec<(String, Json)>>>,
}

impl StandIn {
    pub(super) fn serving(answer: impl Fn(&str, &Json) -> (u16, Json) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let memory = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (line, body) = request(&stream);
                let without_organization = line.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" ");
                let (status, told) = answer(&without_organization, &body);
                memory.lock().unwrap().push((line, body));
                let told = told.to_string();
                let head =
                    format!("HTTP/1.1 {status} -\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", told.len());
                stream.write_all(format!("{head}{told}").as_bytes()).unwrap();
            }
        });
        let line = Line::new(Reach {
            system: "zitadel".into(),
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
        self.asked.lock().unwrap().iter().map(|(line, _)| line.clone()).collect()
    }

    pub(super) fn bodies(&self) -> Vec<Json> {
        self.asked.lock().unwrap().iter().map(|(_, body)| body.clone()).collect()
    }
}

fn request(stream: &TcpStream) -> (String, Json) {
    let mut reader = BufReader::new(stream);
    let mut next = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let first = next();
    let mut line = first.rsplit_once(' ').unwrap().0.to_owned();
    let mut length = 0;
    loop {
        let header = next();
        let Some((name, value)) = header.split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "x-zitadel-orgid" => line = format!("{line} {value}"),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (line, serde_json::from_slice(&body).unwrap_or_default())
}
