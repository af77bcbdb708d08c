//! How events travel: signed, one after the other, and again after a pause where nobody took them (`wordpress.md` 7).

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::Full;
use hyper::{Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use sha2::Sha256;
use tokio::{net::TcpStream, sync::Notify};

use super::{
    Wordpress,
    outbox::{Delivery, Event},
    settings::Webhook,
};

/// How long the site waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The next thing to send.
pub(super) struct Errand {
    pub(super) event: Event,
    pub(super) webhook: Webhook,
    /// What the site calls itself, such as `WordPress/7.1; http://127.0.0.1:8171`.
    pub(super) agent: String,
    /// How long nothing is sent if this fails.
    pub(super) pause: Duration,
}

/// Sends what waits, in order, until the site is gone.
pub(super) async fn run(site: Weak<Wordpress>, stirred: Arc<Notify>) {
    loop {
        let Some(errand) = site.upgrade().map(|site| site.errand()) else { return };
        let Some(errand) = errand else {
            stirred.notified().await;
            continue;
        };
        let delivery = deliver(&errand).await;
        let was_taken = delivery.was_taken();
        let Some(site) = site.upgrade() else { return };
        site.settle(delivery);
        drop(site);
        if !was_taken {
            tokio::time::sleep(errand.pause).await;
        }
    }
}

/// Signs an event as of now and sends it.
async fn deliver(errand: &Errand) -> Delivery {
    let Event { id, kind, user, body } = errand.event.clone();
    // The receiver compares it with its own clock.
    let timestamp = jiff::Timestamp::now().as_second();
    let signature = signature(&errand.webhook.key().unwrap_or_default(), &id, timestamp, &body);
    let delivery = Delivery { id, kind, user_id: user, timestamp, signature, body, status: None };
    let status = tokio::time::timeout(PATIENCE, send(errand, &delivery)).await.ok().flatten();
    Delivery { status, ..delivery }
}

/// The signature header: HMAC-SHA256 over id, timestamp and body.
fn signature(key: &[u8], id: &str, timestamp: i64, body: &str) -> String {
    // Every length of a key is right for HMAC.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// The status of the answer; nothing where none came.
async fn send(errand: &Errand, delivery: &Delivery) -> Option<u16> {
    let url = errand.webhook.address()?;
    let host = url.host_str()?;
    let port = url.port_or_known_default()?;
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let connection = tokio::spawn(connection);
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let request = Request::post(path)
        .header(header::HOST, format!("{host}:{port}"))
        .header(header::USER_AGENT, &errand.agent)
        .header(header::ACCEPT, "*/*")
        .header(header::ACCEPT_ENCODING, "deflate, gzip, br, zstd")
        .header(header::CONTENT_TYPE, "application/json")
        .header("webhook-id", &delivery.id)
        .header("webhook-timestamp", delivery.timestamp)
        .header("webhook-signature", &delivery.signature)
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::from(delivery.body.clone())))
        .ok()?;
    let response = sender.send_request(request).await.ok();
    connection.abort();
    response.map(|response| response.status().as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_a_recorded_delivery() {
        let recorded = include_str!("../../../tests/samples/wordpress/webhook-noop-update.json");
        let recorded: serde_json::Value = serde_json::from_str(recorded).unwrap();
        let header = |name: &str| {
            let headers = recorded["request"]["headers"].as_array().unwrap().iter();
            headers.clone().find(|pair| pair[0] == name).unwrap()[1].as_str().unwrap().to_owned()
        };
        let secret = recorded["secret_for_tests"].as_str().unwrap().to_owned();
        let webhook = Webhook { url: "http://127.0.0.1/".to_owned(), secret };
        let timestamp = header("webhook-timestamp").parse().unwrap();
        let body = recorded["body_raw"].as_str().unwrap();
        let signed = signature(&webhook.key().unwrap(), &header("webhook-id"), timestamp, body);
        assert_eq!(signed, header("webhook-signature"));
    }
}
