//! The lab's own routes, which belong to no provider: they make a login happen or say what was asked.

use std::time::Duration;

use super::fault::innermost;

/// Asks one of the lab's own routes, which need no credentials. Only ever speaks to loopback.
pub(crate) async fn ask_lab(
    url: &str,
    method: &str,
    path: &str,
    body: &serde_json::Value,
) -> Result<serde_json::Value, String> {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap_or(reqwest::Method::GET);
    // Nothing is encrypted on the way, so that no authorities need to be read.
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(Duration::from_secs(30)).build();
    let client = client.map_err(|error| innermost(&error.without_url()))?;
    let mut request = client.request(method, format!("{url}/_lab/{path}"));
    if !body.is_null() {
        request = request.json(body);
    }
    let reply = request.send().await.map_err(|error| innermost(&error.without_url()))?;
    let success = reply.status().is_success();
    let answer: serde_json::Value = reply.json().await.map_err(|error| innermost(&error.without_url()))?;
    match answer.get("error").and_then(serde_json::Value::as_str) {
        Some(error) if !success => Err(error.to_owned()),
        _ => Ok(answer),
    }
}
