//! The way to a provider: who may vouch for it, who we are on the way, and what stands on it. Against real TLS servers
//! and a real proxy, before the real lab.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world fails"
)]

use std::sync::{Arc, Mutex};

use crate::common::{Ran, World, in_one_line};
use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
        server::WebPkiClientVerifier,
    },
};

/// Somebody who vouches for others.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

/// A certificate and its key.
struct Papers {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// Vouches for a host of this name between these years.
    fn vouch(&self, host: &str, from: i32, until: i32) -> Papers {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        Papers { certificate: params.signed_by(&key, &self.issuer).unwrap(), key }
    }
}

/// What stands between the program and the lab. Ends with the test.
struct Town {
    runtime: Runtime,
}

impl Town {
    fn new() -> Self {
        Self { runtime: Runtime::new().unwrap() }
    }

    /// A TLS server before `upstream`; gives its port. With an authority it asks everybody for a certificate.
    fn tls(&self, papers: &Papers, upstream: &str, visitors: Option<&Authority>) -> u16 {
        let builder = ServerConfig::builder();
        let builder = match visitors {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.certificate.der().clone()).unwrap();
                builder.with_client_cert_verifier(WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap())
            }
        };
        let chain: Vec<CertificateDer<'static>> = vec![papers.certificate.der().clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(papers.key.serialize_der()));
        let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()));
        let upstream = upstream.trim_start_matches("http://").to_owned();
        let listener = self.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        self.runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
                tokio::spawn(async move {
                    let Ok(mut inside) = acceptor.accept(stream).await else { return };
                    let mut outside = TcpStream::connect(upstream).await.unwrap();
                    let _ = copy_bidirectional(&mut inside, &mut outside).await;
                });
            }
        });
        port
    }

    /// A proxy that leads everybody to `port`, whoever is asked for, and wants this login where there is one.
    fn proxy(&self, port: u16, login: Option<&'static str>) -> (u16, Arc<Mutex<Vec<String>>>) {
        let listener = self.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let here = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = Arc::clone(&seen);
        self.runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let told = Arc::clone(&told);
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let mut head = String::new();
                    while stream.read_line(&mut head).await.unwrap_or(0) > 2 {}
                    if head.is_empty() {
                        // Opened while another became free, and not needed.
                        return;
                    }
                    let first = head.lines().next().unwrap_or_default().to_owned();
                    told.lock().unwrap().push(first.clone());
                    let wanted = login.map(|login| format!("Basic {}", STANDARD.encode(login)));
                    let shown = head.lines().find_map(|line| {
                        let (name, value) = line.split_once(": ")?;
                        name.eq_ignore_ascii_case("proxy-authorization").then(|| value.to_owned())
                    });
                    if wanted != shown {
                        let page = format!("<p>{shown:?}</p>");
                        let answer = format!(
                            "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\
                             content-length: {}\r\n\r\n{page}",
                            page.len()
                        );
                        let _ = stream.write_all(answer.as_bytes()).await;
                        return;
                    }
                    let mut outside = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    if first.starts_with("CONNECT ") {
                        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                    } else {
                        outside.write_all(head.as_bytes()).await.unwrap();
                    }
                    let _ = copy_bidirectional(&mut stream, &mut outside).await;
                });
            }
        });
        (here, seen)
    }

    /// A TLS server that sends everybody somewhere else.
    fn redirecting(&self, papers: &Papers, there: &str) -> u16 {
        let answer =
            format!("HTTP/1.1 302 Found\r\nlocation: {there}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let listener = self.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        self.runtime.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = answer.clone();
                tokio::spawn(async move {
                    let mut seen = [0; 4_096];
                    let _ = stream.read(&mut seen).await;
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        self.tls(papers, &format!("127.0.0.1:{port}"), None)
    }
}

const PASSWORD: &str = "c4nary/pass+word";

/// A lab with GitLab, and the project that reaches it at `url`.
fn lab() -> World {
    World::with_lab_of("gitlab", &json!({})).file("rules/people.rhai", "owner(\"email\", \"gitlab\");")
}

fn reach(world: &World, url: &str, keys: &str) -> Ran {
    let config =
        format!("[systems.gitlab]\nkind = \"gitlab\"\nurl = \"{url}\"\ntoken = {{ file = \"secret\" }}\n{keys}");
    world.write("homeward.toml", config.as_bytes());
    world.write("secret", world.token("gitlab").as_bytes());
    let ran = world.homeward(&["check", "--connect", "-vv"]);
    let all = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!all.contains("c4nary") && !all.contains(&STANDARD.encode(format!("jane:{PASSWORD}"))), "{all}");
    assert!(!all.contains(&world.token("gitlab")), "{all}");
    ran
}

#[test]
fn a_server_is_believed_only_where_the_right_authority_vouches_for_it() {
    let (town, world, corp, other) = (Town::new(), lab(), Authority::new("corp"), Authority::new("other"));
    world.write("corp.pem", corp.certificate.pem().as_bytes());
    world.write("other.pem", other.certificate.pem().as_bytes());
    world.write("both.pem", format!("{}{}", other.certificate.pem(), corp.certificate.pem()).as_bytes());
    let port = |papers: &Papers| town.tls(papers, &world.url("gitlab"), None);
    let good = port(&corp.vouch("localhost", 2020, 2100));
    let cases = [
        (good, "ca = \"corp.pem\"", 0, "as root"),
        (good, "ca = \"both.pem\"", 0, "as root"),
        (good, "ca = \"other.pem\"", 5, "no authority known here vouches for its certificate"),
        (good, "", 5, "no authority known here vouches for its certificate"),
        (port(&corp.vouch("localhost", 2020, 2021)), "ca = \"corp.pem\"", 5, "its certificate has expired"),
        (port(&corp.vouch("localhost", 2099, 2100)), "ca = \"corp.pem\"", 5, "its certificate is not valid yet"),
        (
            port(&corp.vouch("git.example.com", 2020, 2100)),
            "ca = \"corp.pem\"",
            5,
            "its certificate is for another name",
        ),
    ];
    for (port, keys, status, said) in cases {
        let ran = reach(&world, &format!("https://localhost:{port}"), keys);
        assert_eq!(ran.status, status, "{keys} {said}: {}{}", ran.stdout, ran.stderr);
        assert!(status == 0 || ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
    let ran = reach(&world, &world.url("gitlab").replace("http:", "https:"), "ca = \"corp.pem\"");
    assert!(ran.stderr.contains("it does not speak https there"), "{}", ran.stderr);
    for key in ["insecure", "verify", "tls_verify", "skip_verify"] {
        let ran = reach(&world, &format!("https://localhost:{good}"), &format!("{key} = true\n"));
        assert_eq!(ran.status, 2, "there is no switch that leaves a certificate unchecked: {}", ran.stderr);
        assert!(ran.stderr.contains(&format!("unknown key `{key}`")), "{}", ran.stderr);
    }
}

#[test]
fn a_file_that_holds_no_certificate_is_told_at_its_place() {
    let (world, corp) = (lab(), Authority::new("corp"));
    let key = KeyPair::generate().unwrap().serialize_pem();
    world.write("key.pem", key.as_bytes());
    world.write("noise.pem", b"\x30\x82\x01\x0a");
    world.write("cut.pem", corp.certificate.pem().replace("MII", "MIA").as_bytes());
    world.write("half.pem", &corp.certificate.pem().as_bytes()[..200]);
    world.write("corp.pem", corp.certificate.pem().as_bytes());
    for (keys, said) in [
        ("ca = \"gone.pem\"", "gone.pem cannot be read: No such file or directory"),
        ("ca = \"noise.pem\"", "noise.pem is no PEM file"),
        ("ca = \"key.pem\"", "key.pem holds no certificate"),
        ("ca = \"cut.pem\"", "cut.pem holds a certificate that cannot be read"),
        ("ca = \"half.pem\"", "half.pem holds a certificate that cannot be read"),
        ("client_certificate = { file = \"corp.pem\" }", "holds no private key beside its certificate"),
        ("client_certificate = { file = \"key.pem\" }", "holds no certificate"),
        ("client_certificate = { env = \"NOT_SET\" }", "the environment variable NOT_SET is not set"),
        ("client_certificate = \"corp.pem\"", "a secret does not belong into this file"),
    ] {
        let ran = reach(&world, "https://localhost:1", keys);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{keys}: {}", ran.stderr);
        assert!(ran.stderr.contains(said) && ran.stderr.contains("homeward.toml:5:"), "{keys}: {}", ran.stderr);
        assert!(!ran.stderr.contains("PRIVATE"), "{}", ran.stderr);
    }
}

#[test]
fn a_server_that_asks_for_a_certificate_is_shown_ours() {
    let (town, world, corp, staff) = (Town::new(), lab(), Authority::new("corp"), Authority::new("staff"));
    world.write("corp.pem", corp.certificate.pem().as_bytes());
    let us = staff.vouch("homeward.example.com", 2020, 2100);
    world.write("secret-us.pem", format!("{}{}", us.certificate.pem(), us.key.serialize_pem()).as_bytes());
    let port = town.tls(&corp.vouch("localhost", 2020, 2100), &world.url("gitlab"), Some(&staff));
    let url = format!("https://localhost:{port}");
    let ran = reach(&world, &url, "ca = \"corp.pem\"\nclient_certificate = { file = \"secret-us.pem\" }");
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    // By TLS 1.3 a server says so after the client is done, and a connection that is closed by then tells no more than that.
    let told = (0..10).find_map(|_| {
        let ran = reach(&world, &url, "ca = \"corp.pem\"");
        assert_eq!(ran.status, 5, "{}{}", ran.stdout, ran.stderr);
        (!in_one_line(&ran.stderr).contains("it closed the connection before it took a request")).then_some(ran.stderr)
    });
    assert!(told.as_ref().is_some_and(|told| told.contains("it wants to see a certificate of ours")), "{told:?}");
}

#[test]
fn a_proxy_is_used_where_it_is_named_and_its_password_is_shown_to_nobody() {
    let (town, mut world, corp) = (Town::new(), lab(), Authority::new("corp"));
    world.write("corp.pem", corp.certificate.pem().as_bytes());
    world = world.variable("PROXY_PASSWORD", PASSWORD);
    let tls = town.tls(&corp.vouch("git.invalid", 2020, 2100), &world.url("gitlab"), None);
    let (open, seen) = town.proxy(tls, None);
    let (closed, asked) = town.proxy(tls, Some("jane:c4nary/pass+word"));
    let url = "https://git.invalid";
    let at = |keys: &str| format!("ca = \"corp.pem\"\n{keys}");

    let ran = reach(&world, url, &at(&format!("proxy = \"http://127.0.0.1:{open}\"")));
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(seen.lock().unwrap().iter().all(|line| line == "CONNECT git.invalid:443 HTTP/1.1"));
    assert!(!std::mem::take(&mut *seen.lock().unwrap()).is_empty());

    let login = |password: &str| {
        let table =
            format!("proxy = {{ url = \"http://127.0.0.1:{closed}\", username = \"jane\", password = {password} }}");
        at(&table)
    };
    let ran = reach(&world, url, &login("{ env = \"PROXY_PASSWORD\" }"));
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(!asked.lock().unwrap().is_empty());
    world.write("secret-wrong", b"c4nary-wrong");
    let ran = reach(&world, url, &login("{ file = \"secret-wrong\" }"));
    assert_eq!(ran.status, 5, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("the proxy wants a login"), "{}", ran.stderr);
    let ran = reach(&world, url, &login("\"c4nary\""));
    assert_eq!(ran.status, 2, "{}{}", ran.stdout, ran.stderr);

    // What the environment says, as curl reads it.
    let world = world.variable("HTTPS_PROXY", &format!("http://jane:c4nary%2Fpass%2Bword@127.0.0.1:{closed}"));
    assert_eq!(reach(&world, url, &at("")).status, 0);
    let ran = reach(&world, url, &at("proxy = \"direct\""));
    assert!(ran.status == 5 && ran.stderr.contains("there is no host of this name"), "{}", ran.stderr);
    let world = world.variable("NO_PROXY", "git.invalid,10.0.0.0/8");
    let ran = reach(&world, url, &at(""));
    assert!(ran.status == 5 && ran.stderr.contains("there is no host of this name"), "{}", ran.stderr);
    asked.lock().unwrap().clear();
    let ran = reach(&world, &world.url("gitlab"), "");
    assert_eq!(ran.status, 0, "what stays on this machine goes through no proxy of the environment: {}", ran.stderr);
    assert!(asked.lock().unwrap().is_empty());
    let world = world.variable("https_proxy", "socks5://jane:c4nary@127.0.0.1:1");
    let ran = reach(&world, url, &at(""));
    assert_eq!(ran.status, 2, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("https_proxy does not hold the address of a proxy"), "{}", ran.stderr);
}

#[test]
fn an_address_with_a_password_is_refused_and_not_repeated() {
    let world = lab();
    for keys in [
        "proxy = \"http://jane:c4nary@proxy.example.com\"",
        "proxy = { url = \"http://jane:c4nary@proxy.example.com\", username = \"j\", password = { env = \"P\" } }",
        "proxy = http://jane:c4nary@proxy.example.com",
    ] {
        let ran = reach(&world, "https://git.example.com", keys);
        assert_eq!(ran.status, 2, "{}{}", ran.stdout, ran.stderr);
    }
    let ran = reach(&world, "https://jane:c4nary@git.example.com", "");
    assert!(ran.status == 2 && ran.stderr.contains("this address holds a user or a password"), "{}", ran.stderr);
}

#[test]
fn plain_http_leaves_this_machine_only_where_somebody_wrote_that_it_may() {
    let (town, world) = (Town::new(), lab());
    let lab: u16 = world.url("gitlab").rsplit(':').next().unwrap().parse().unwrap();
    let (proxy, seen) = town.proxy(lab, None);
    let proxy = format!("proxy = \"http://127.0.0.1:{proxy}\"\n");
    let ran = reach(&world, "http://git.invalid", &proxy);
    assert_eq!(ran.status, 2, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("insecure_http = true"), "{}", ran.stderr);
    assert!(seen.lock().unwrap().is_empty());
    let ran = reach(&world, "http://git.invalid", &format!("{proxy}insecure_http = true\n"));
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(seen.lock().unwrap().iter().all(|line| line.starts_with("GET http://git.invalid/")), "{seen:?}");
}

#[test]
fn a_redirect_from_https_to_http_is_not_followed() {
    let (town, world, corp) = (Town::new(), lab(), Authority::new("corp"));
    world.write("corp.pem", corp.certificate.pem().as_bytes());
    let before = world.asked("gitlab").len();
    let port = town.redirecting(&corp.vouch("localhost", 2020, 2100), &format!("{}/api/v4/user", world.url("gitlab")));
    let ran = reach(&world, &format!("https://localhost:{port}"), "ca = \"corp.pem\"");
    assert_eq!(ran.status, 5, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(world.asked("gitlab").len(), before);
}

#[test]
fn no_core_is_left_of_the_program() {
    let world = World::new()
        .file(
            "homeward.toml",
            "[systems.gitlab]\nkind = \"gitlab\"\nurl = \"https://x.test\"\ntoken = { env = \"T\" }\n",
        )
        .file("rules/people.rhai", "owner(\"email\", \"gitlab\");");
    let limit = world
        .program("/bin/sh".as_ref())
        .args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$0\" lab", env!("CARGO_BIN_EXE_homeward")])
        .current_dir(world.path(""))
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut served = limit.unwrap();
    let mut first = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(served.stdout.as_mut().unwrap()), &mut first).unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", served.id())).unwrap();
    served.kill().unwrap();
    served.wait().unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>()[4..6], ["1", "1"], "{line}");
}
