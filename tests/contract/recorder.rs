//! A forwarder that writes down whole exchanges: it stands between the program and what answers it.
//!
//! The lab tells what it was asked, but not what it answered; a checking proxy tells what it finds in a header that the
//! program does not read. Both are kept here.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Response},
};
use serde_json::Value;

/// One request and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    /// As the program wrote it, query included.
    pub(crate) path: String,
    /// `null` where there was no body.
    pub(crate) request: Value,
    pub(crate) status: u16,
    /// `null` where it is no JSON.
    pub(crate) answer: Value,
    /// What a checking proxy found.
    pub(crate) violations: Vec<Value>,
    /// There were more of them than a header holds.
    pub(crate) cut: bool,
}

/// Listens on a port of its own as long as it lives.
pub(crate) struct Recorder {
    pub(crate) url: String,
    heard: Arc<Mutex<Vec<Exchange>>>,
    runtime: Option<tokio::runtime::Runtime>,
}

#[derive(Clone)]
struct Way {
    target: String,
    prefix: &'static str,
    heard: Arc<Mutex<Vec<Exchange>>>,
    client: reqwest::Client,
}

impl Recorder {
    /// Sends everything on to `target`, without `prefix` where a path begins with it.
    pub(crate) fn before(target: &str, prefix: &'static str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let heard = Arc::default();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let way = Way { target: target.to_owned(), prefix, heard: Arc::clone(&heard), client };
        let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass_on).with_state(way);
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, heard, runtime: Some(runtime) }
    }

    /// What passed since the last call of this.
    pub(crate) fn taken(&self) -> Vec<Exchange> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn pass_on(State(way): State<Way>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.path_and_query().unwrap().to_string();
    let rest = path.strip_prefix(way.prefix).unwrap_or(&path);
    let mut headers = parts.headers;
    // It names us; the next one has a name of its own.
    headers.remove("host");
    let asked = way.client.request(parts.method.clone(), format!("{}{rest}", way.target));
    let answer = asked.headers(headers).body(bytes.clone()).send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let text = answer.bytes().await.unwrap();
    let json = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or_default();
    let (violations, cut) = violations(&headers);
    way.heard.lock().unwrap().push(Exchange {
        method: parts.method.to_string(),
        path,
        request: json(&bytes),
        status: status.as_u16(),
        answer: json(&text),
        violations,
        cut,
    });
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    for hop in ["connection", "transfer-encoding", "content-length", "sl-violations"] {
        response.headers_mut().remove(hop);
    }
    response
}

/// What Prism says in its header: a list of objects, and whether it is cut because there were too many of them.
fn violations(headers: &HeaderMap) -> (Vec<Value>, bool) {
    let Some(header) = headers.get("sl-violations") else { return (Vec::new(), false) };
    let text = String::from_utf8_lossy(header.as_bytes());
    let Some(cut) = text.strip_prefix("Too many violations! [") else {
        return (serde_json::from_str(&text).unwrap(), false);
    };
    let (mut found, mut rest) = (Vec::new(), cut);
    loop {
        let mut items = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let Some(Ok(item)) = items.next() else { return (found, true) };
        found.push(item);
        rest = rest[items.byte_offset()..].trim_start_matches(',');
    }
}
