//! Where websites tell of changes, and where others ask how the service fares.
//!
//! A delivery is checked, written down and answered; what it means is looked at later. So the sender never waits for a
//! provider, and nothing that was answered with a yes is lost. Whoever is slow, large or not who they say they are is
//! turned away without being kept.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Extension, Json, Router,
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header::CONTENT_LENGTH},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use serde_json::json;
use tokio::{
    net::TcpListener,
    task::{AbortHandle, JoinHandle},
};
use tracing::{info, warn};

use super::{Fares, Service, WatchError};
use crate::{
    config::{self, Config, schema::Signature},
    model::id::SystemName,
    source::wordpress::delivery::{Encoding, Gate, MAX_BODY, Signing},
    state::{Notice, Store},
};

/// How long a sender may take for its headers, and again for its body.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many may speak at once. Who comes then takes the place of whoever has been at it longest: honest senders are done
/// in moments. With the largest body of each this bounds the memory.
const AT_ONCE: usize = 64;

/// How often deliveries that are turned away are told of. Anybody can send those, as many as they like.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// Where others ask how the service fares.
const HEALTH: &str = "/healthz";

/// What listens at each address.
#[derive(Default)]
pub(super) struct Receivers {
    servers: BTreeMap<SocketAddr, Server>,
}

struct Server {
    routes: Arc<std::sync::RwLock<Router>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A webhook of one system.
struct Door {
    service: Arc<Service>,
    system: SystemName,
    gate: Gate,
    /// True where the id of a delivery is that of its body, which the next change may share.
    may_differ: bool,
    turnings: Mutex<Turnings>,
}

/// The deliveries turned away since somebody was told of one.
#[derive(Default)]
struct Turnings {
    told: Option<Instant>,
    more: u64,
}

/// Set once a delivery has been heard to its end: from then on its sender only waits for us.
#[derive(Clone, Default)]
struct Heard(Arc<AtomicBool>);

/// A connection.
struct Guest {
    heard: Heard,
    task: AbortHandle,
}

impl Receivers {
    /// Listens where the configuration says, and nowhere else. Addresses that stay are not closed in between.
    ///
    /// # Errors
    /// Where a secret cannot be used, an address cannot be listened at or a path is taken: then all stays as it was.
    pub(super) async fn renew(&mut self, service: &Arc<Service>, config: &Config) -> Result<(), WatchError> {
        let mut wanted: BTreeMap<SocketAddr, Router> = BTreeMap::new();
        let mut taken: BTreeSet<(SocketAddr, &str)> = config.health.iter().map(|address| (*address, HEALTH)).collect();
        for (system, webhook) in
            config.systems.iter().filter_map(|(name, system)| Some((name, system.webhook.as_ref()?)))
        {
            if !taken.insert((webhook.listen, &webhook.path)) {
                let cause = format!("the path `{}` of {system} has another use there", webhook.path);
                return Err(WatchError::Listen { address: webhook.listen.to_string(), cause });
            }
            let door = Door {
                service: Arc::clone(service),
                system: system.clone(),
                gate: gate(config, system, webhook)?,
                may_differ: webhook.signature != Signature::Standard,
                turnings: Mutex::default(),
            };
            let routes = wanted.remove(&webhook.listen).unwrap_or_default();
            let door = Arc::new(door);
            wanted.insert(webhook.listen, routes.route(&webhook.path, post(deliver).with_state(door)));
        }
        if let Some(health) = config.health {
            let routes = wanted.remove(&health).unwrap_or_default();
            wanted.insert(health, routes.route(HEALTH, get(healthz).with_state(Arc::clone(service))));
        }
        let mut opened = Vec::new();
        for (address, routes) in wanted.iter().filter(|(address, _)| !self.servers.contains_key(*address)) {
            let listener = TcpListener::bind(address)
                .await
                .map_err(|cause| WatchError::Listen { address: address.to_string(), cause: cause.to_string() })?;
            opened.push((*address, listener, routes.clone()));
        }
        self.servers.retain(|address, server| match wanted.remove(address) {
            Some(routes) => {
                *server.routes.write().unwrap_or_else(std::sync::PoisonError::into_inner) = routes;
                true
            }
            None => false,
        });
        for (address, listener, routes) in opened {
            info!(address = %listener.local_addr().unwrap_or(address), "listening");
            let routes = Arc::new(std::sync::RwLock::new(routes));
            let task = tokio::spawn(serve(listener, Arc::clone(&routes)));
            self.servers.insert(address, Server { routes, task });
        }
        Ok(())
    }
}

fn gate(config: &Config, system: &SystemName, webhook: &config::Webhook) -> Result<Gate, WatchError> {
    let read = |source: &config::secret::SecretSource| {
        source.read().map_err(|error| {
            let place = config.place(system, "webhook.secret");
            WatchError::Open(config.because(error.at(place)).into())
        })
    };
    let mut secrets = vec![read(&webhook.secret)?];
    if let Some(former) = &webhook.former_secret {
        secrets.push(read(former)?);
    }
    let header = webhook.header.clone().unwrap_or_default();
    let signing = match webhook.signature {
        Signature::Standard => Signing::Standard,
        Signature::Base64 => Signing::Body { header, encoding: Encoding::Base64 },
        Signature::Hex => Signing::Body { header, encoding: Encoding::Hex },
    };
    Gate::new(signing, &secrets)
        .map_err(|cause| WatchError::Secret { system: system.clone(), cause: cause.to_string() })
}

/// Takes connections for as long as it is not aborted.
async fn serve(listener: TcpListener, routes: Arc<std::sync::RwLock<Router>>) {
    let mut guests: VecDeque<Guest> = VecDeque::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: others will be closed.
                warn!("a connection could not be taken: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        guests.retain(|guest| !guest.task.is_finished());
        if guests.len() >= AT_ONCE {
            let slowest = guests.iter().position(|guest| !guest.heard.0.load(Ordering::SeqCst)).unwrap_or_default();
            if let Some(guest) = guests.remove(slowest) {
                guest.task.abort();
            }
        }
        let heard = Heard::default();
        let routes = routes.read().unwrap_or_else(PoisonError::into_inner).clone().layer(Extension(heard.clone()));
        let task = tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .max_buf_size(64 << 10)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
            // Who goes away, or never says what they want, is nobody's trouble.
            let _ = tokio::time::timeout(PATIENCE * 4, connection).await;
        });
        guests.push_back(Guest { heard, task: task.abort_handle() });
    }
}

/// One delivery.
async fn deliver(State(door): State<Arc<Door>>, Extension(heard): Extension<Heard>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > MAX_BODY as u64) {
        return turned(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
    }
    let Ok(read) = tokio::time::timeout(PATIENCE, to_bytes(body, MAX_BODY)).await else {
        return turned(StatusCode::REQUEST_TIMEOUT, "the body did not come in time");
    };
    let Ok(body) = read else {
        return turned(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
    };
    heard.0.store(true, Ordering::SeqCst);
    let headers: &HeaderMap = &parts.headers;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let event = match door.gate.admit(&header, &body, jiff::Timestamp::now()) {
        Ok(event) => event,
        Err(turned_away) => {
            let status = StatusCode::from_u16(turned_away.status()).unwrap_or(StatusCode::BAD_REQUEST);
            if !status.is_success() {
                door.tell(status, &turned_away.to_string());
            }
            return turned(status, &turned_away.to_string());
        }
    };
    let Some(key) = event.user else { return (StatusCode::OK, Json(json!({ "taken": false }))).into_response() };
    let notice = Notice {
        system: door.system.clone(),
        delivery: event.id,
        key,
        received: door.service.now(),
        may_differ: door.may_differ,
    };
    let at_store = Arc::clone(&door);
    // Durable before it is answered; the store may have to wait for the disk.
    let kept = tokio::task::spawn_blocking(move || at_store.service.store.notice(&notice)).await;
    match kept {
        Ok(Ok(is_new)) => {
            if is_new {
                door.service.wake(&door.system);
            }
            (StatusCode::OK, Json(json!({ "taken": is_new }))).into_response()
        }
        Ok(Err(error)) => {
            warn!(system = %door.system, "a delivery could not be written down: {error}");
            turned(StatusCode::SERVICE_UNAVAILABLE, "it could not be written down")
        }
        Err(_) => turned(StatusCode::SERVICE_UNAVAILABLE, "it could not be written down"),
    }
}

impl Door {
    /// Tells of a delivery that was turned away, and not of each.
    fn tell(&self, status: StatusCode, why: &str) {
        let mut turnings = self.turnings.lock().unwrap_or_else(PoisonError::into_inner);
        if turnings.told.is_some_and(|told| told.elapsed() < TOLD_EVERY) {
            turnings.more += 1;
            return;
        }
        let more = std::mem::take(&mut turnings.more);
        turnings.told = Some(Instant::now());
        let (system, status) = (&self.system, status.as_u16());
        warn!(%system, status, more, "a delivery was turned away: {why}");
    }
}

fn turned(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}

/// How all feeds fare; 503 where one of them is in trouble.
async fn healthz(State(service): State<Arc<Service>>) -> Response {
    let feeds = service.health();
    let is_well = feeds.values().all(Fares::is_well);
    let status = if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    // Names of files and people are for those who may see the state folder.
    let shown: BTreeMap<String, serde_json::Value> = feeds
        .iter()
        .map(|(name, fares)| {
            let told = json!({
                "well": fares.is_well(), "looked": fares.looked, "mode": fares.mode,
                "waiting": fares.waiting.len(), "warnings": fares.warnings.len(),
            });
            (name.to_string(), told)
        })
        .collect();
    let mut told = json!({ "well": is_well, "feeds": shown });
    let expected = service.expected();
    if expected.open > 0 {
        told["expected"] = json!({ "open": expected.open, "overdue": expected.overdue });
    }
    (status, Json(told)).into_response()
}
