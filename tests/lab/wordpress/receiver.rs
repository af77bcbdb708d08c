//! Somebody who takes what a site sends: a server on loopback that remembers, and answers as it is told.

use std::{
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, StatusCode},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// The secret of the recordings.
pub(crate) const SECRET: &str = "whsec_aG9tZXdhcmQtdGVzdC1zZWNyZXQtbm90LXJlYWwtMTI=";

/// One thing that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Sent {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// Expects a signature over exactly these bytes, made now.
    #[track_caller]
    pub(crate) fn is_signed(&self) {
        let (id, timestamp) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let mut mac = Hmac::<Sha256>::new_from_slice(b"homeward-test-secret-not-real-12").unwrap();
        mac.update(format!("{id}.{timestamp}.{}", self.body).as_bytes());
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(self.header("webhook-signature"), expected);
        let age = jiff::Timestamp::now().as_second() - timestamp.parse::<i64>().unwrap();
        assert!((0..60).contains(&age), "{age} s old");
        assert_eq!(self.json()["id"], id);
    }
}

#[derive(Default)]
struct Heard {
    sent: Vec<Sent>,
    /// What the next ones are answered; afterwards all are taken.
    answers: Vec<u16>,
}

/// A receiver; it ends with the value.
pub(crate) struct Receiver {
    heard: Arc<(Mutex<Heard>, Condvar)>,
    url: String,
    _runtime: tokio::runtime::Runtime,
}

impl Receiver {
    /// One that answers the first deliveries like this, and takes all others.
    pub(crate) fn new(answers: &[u16]) -> Self {
        let heard = Arc::new((Mutex::new(Heard { sent: Vec::new(), answers: answers.to_vec() }), Condvar::new()));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/hooks/wordpress", listener.local_addr().unwrap());
        let remembering = Arc::clone(&heard);
        let router = Router::new().fallback(move |request: Request| async move { take(&remembering, request).await });
        runtime.spawn(async { axum::serve(listener, router).await });
        Self { heard, url, _runtime: runtime }
    }

    /// The settings of a site that sends to it.
    pub(crate) fn settings(&self) -> Value {
        json!({ "webhook": { "url": self.url, "secret": SECRET }, "webhook_retry": 5 })
    }

    /// Everything that was sent, as soon as it is so many.
    #[track_caller]
    pub(crate) fn wait(&self, count: usize) -> Vec<Sent> {
        let (heard, stirred) = &*self.heard;
        let too_few = |heard: &mut Heard| heard.sent.len() < count;
        let (heard, waited) =
            stirred.wait_timeout_while(heard.lock().unwrap(), Duration::from_secs(20), too_few).unwrap();
        assert!(!waited.timed_out(), "{} of {count} came", heard.sent.len());
        assert_eq!(heard.sent.len(), count);
        heard.sent.clone()
    }
}

async fn take(heard: &(Mutex<Heard>, Condvar), request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let path = parts.uri.to_string();
    let mut known = heard.0.lock().unwrap();
    known.sent.push(Sent { path, headers: parts.headers, body });
    let answer = if known.answers.is_empty() { 204 } else { known.answers.remove(0) };
    heard.1.notify_all();
    StatusCode::from_u16(answer).unwrap()
}
