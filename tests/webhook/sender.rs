//! A sender of deliveries, honest or not, down to the bytes.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::running::SECRET;

/// The path of the example's webhook.
pub(crate) const PATH: &str = "/hooks/wordpress";

/// HMAC-SHA256 of some bytes.
pub(crate) fn hmac(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(bytes);
    mac.finalize().into_bytes().to_vec()
}

/// One delivery in the form of the must-use plugin.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) timestamp: i64,
    pub(crate) body: Vec<u8>,
    pub(crate) secret: String,
}

impl Delivery {
    /// A genuine one about this user.
    pub(crate) fn new(id: &str, user: u64) -> Self {
        let body = format!("{{\"id\":\"{id}\",\"type\":\"user.updated\",\"user_id\":{user}}}").into_bytes();
        Self { id: id.to_owned(), timestamp: jiff::Timestamp::now().as_second(), body, secret: SECRET.to_owned() }
    }

    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        let key = STANDARD.decode(self.secret.strip_prefix("whsec_").unwrap()).unwrap();
        let signed = [format!("{}.{}.", self.id, self.timestamp).as_bytes(), &self.body].concat();
        vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", self.id.clone()),
            ("webhook-timestamp", self.timestamp.to_string()),
            ("webhook-signature", format!("v1,{}", STANDARD.encode(hmac(&key, &signed)))),
        ]
    }

    /// The status it is answered with; nothing where the connection ends without.
    pub(crate) fn send(&self, port: u16) -> Option<u16> {
        post(port, PATH, &self.headers(), &self.body)
    }
}

/// The bytes of a request.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, String)], body: &[u8]) -> Vec<u8> {
    let length = ("content-length", body.len().to_string());
    [head(method, path, headers.iter().chain([&length])).as_bytes(), body].concat()
}

/// The head of a delivery whose body comes in chunks.
pub(crate) fn chunked(delivery: &Delivery) -> String {
    let coding = ("transfer-encoding", "chunked".to_owned());
    head("POST", PATH, delivery.headers().iter().chain([&coding]))
}

fn head<'h>(method: &str, path: &str, headers: impl Iterator<Item = &'h (&'h str, String)>) -> String {
    let lines: Vec<String> = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{method} {path} HTTP/1.1\r\nhost: homeward\r\n{}\r\n", lines.concat())
}

/// Posts, and gives the status.
pub(crate) fn post(port: u16, path: &str, headers: &[(&str, String)], body: &[u8]) -> Option<u16> {
    status(&raw(port, &request("POST", path, headers, body)))
}

/// Sends bytes as they are, and gives everything that comes back.
pub(crate) fn raw(port: u16, bytes: &[u8]) -> String {
    let mut stream = connect(port);
    // Who is turned away early may not be listened to until the end.
    let _ = stream.write_all(bytes);
    read(&mut stream)
}

pub(crate) fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Everything that comes until the connection ends.
pub(crate) fn read(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut chunk) {
        answer.extend_from_slice(&chunk[..length]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of an answer.
pub(crate) fn status(answer: &str) -> Option<u16> {
    answer.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}
